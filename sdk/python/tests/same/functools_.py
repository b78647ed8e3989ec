import functools, itertools, operator
@functools.lru_cache(None)
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)
@functools.singledispatch
def kind(x): return "?"
@kind.register
def _(x: int): return "int"
print(fib(90), functools.reduce(operator.mul, range(1, 20)), kind(3), kind("3"))
print(list(itertools.islice(itertools.cycle("ab"), 5)), list(itertools.combinations("abcd", 2)), [(k, len(list(g))) for k, g in itertools.groupby("aabccc")], list(itertools.accumulate([1, 2, 3])))
