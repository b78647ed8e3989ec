import gc, weakref, sys
class N: pass
n = N()
r = weakref.ref(n, lambda _: print("gone"))
n.me = n
del n
gc.collect()
print(r())
def deep(k): return deep(k + 1)
try:
    deep(0)
except RecursionError as error:
    print(type(error).__name__)
