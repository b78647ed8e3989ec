class A:
    count = 0
    def __init_subclass__(cls):
        A.count += 1
    def __repr__(self):
        return type(self).__name__
class B(A):
    __slots__ = ("x",)
    @property
    def y(self):
        return 3
class C(B): pass
print(A.count, C(), C.__mro__, C().y)
match {"k": [1, 2, 3]}:
    case {"k": [first, *rest]}:
        print(first, rest)
