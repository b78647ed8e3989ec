import shlex, textwrap, string, pprint
print(shlex.split("a 'b c' d\\ e"), shlex.quote("it's"), textwrap.fill("the quick brown fox jumps over the lazy dog", 20), textwrap.dedent("  a\n    b\n"))
print(string.Template("$a ${b}").substitute(a=1, b=2))
pprint.pprint({"k" * 30: list(range(30)), "b": {"c": "d" * 50}})
