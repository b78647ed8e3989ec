import hashlib, hmac
for name in ("md5", "sha1", "sha256", "sha512", "sha3_256", "blake2b", "blake2s"):
    print(name, hashlib.new(name, b"grove").hexdigest())
print(hmac.new(b"k", b"m", "sha256").hexdigest())
