import os, pathlib, shutil, tempfile, glob
root = pathlib.Path(tempfile.mkdtemp())
(root / "a/b").mkdir(parents=True)
(root / "a/b/x.txt").write_text("one\ntwo\n")
shutil.copy(root / "a/b/x.txt", root / "y.txt")
os.rename(root / "y.txt", root / "z.txt")
with open(root / "z.txt", "r+") as f:
    f.seek(4)
    f.write("2")
    f.truncate()
print((root / "z.txt").read_text(), sorted(os.listdir(root)), [os.path.relpath(p, root) for p in glob.glob(f"{root}/**/*.txt", recursive=True)])
for folder, names, files in os.walk(root):
    print(os.path.relpath(folder, root), names, files)
print(os.stat(root / "z.txt").st_size, os.path.isdir(root / "a"))
shutil.rmtree(root)
print(root.exists())
try:
    open(root / "none")
except FileNotFoundError as error:
    print(error.errno is not None, error.strerror)
