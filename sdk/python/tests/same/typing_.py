from typing import Generic, NamedTuple, Protocol, TypedDict, TypeVar, get_type_hints
T = TypeVar("T")
class Box(Generic[T]):
    def __init__(self, x: T) -> None: self.x = x
class P(NamedTuple):
    a: int
    b: str = "z"
class D(TypedDict, total=False):
    k: int
class Sized(Protocol):
    def size(self) -> int: ...
print(Box[int](3).x, P(1), D(k=2), sorted(get_type_hints(Box.__init__)))
