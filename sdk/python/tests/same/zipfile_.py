import io, tarfile, zipfile
buf = io.BytesIO()
with zipfile.ZipFile(buf, "w", zipfile.ZIP_DEFLATED) as z:
    z.writestr(zipfile.ZipInfo("a/b.txt"), "hello " * 10)
with zipfile.ZipFile(buf) as z:
    print(z.namelist(), z.read("a/b.txt")[:5], z.testzip())
out = io.BytesIO()
with tarfile.open(fileobj=out, mode="w:gz") as t:
    info = tarfile.TarInfo("x")
    info.size = 3
    t.addfile(info, io.BytesIO(b"abc"))
out.seek(0)
with tarfile.open(fileobj=out) as t:
    print(t.getnames(), t.extractfile("x").read())
