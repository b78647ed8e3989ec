import contextlib, io
@contextlib.contextmanager
def tag(name):
    print("<", name)
    yield name
    print(">", name)
with contextlib.ExitStack() as stack:
    print([stack.enter_context(tag(n)) for n in "ab"])
with contextlib.redirect_stdout(io.StringIO()) as out:
    print("hidden")
print(repr(out.getvalue()))
