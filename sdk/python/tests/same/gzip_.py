import gzip, io, zlib
data = b"grove " * 1000
packed = gzip.compress(data, mtime=0)
print(gzip.decompress(packed) == data, zlib.decompress(zlib.compress(data)) == data, zlib.adler32(data))
with gzip.open(io.BytesIO(packed), "rt") as f:
    print(f.read(11))
