from dataclasses import dataclass, field, asdict, replace
@dataclass(order=True, frozen=True)
class Item:
    name: str
    tags: list = field(default_factory=list, compare=False)
print(Item("a") < Item("b"), asdict(replace(Item("x", ["t"]), name="y")))
try:
    Item("a").name = "b"
except Exception as error:
    print(type(error).__name__, error)
