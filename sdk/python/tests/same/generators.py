def tree(n):
    if n:
        yield from tree(n - 1)
        got = yield n
        if got:
            yield got
g = tree(3)
print(next(g), g.send("sent"), list(g))
try:
    raise ExceptionGroup("many", [ValueError(1), TypeError(2)])
except* ValueError as group:
    print(group.exceptions)
except* TypeError as group:
    print(len(group.exceptions))
