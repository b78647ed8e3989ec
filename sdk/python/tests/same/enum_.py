from enum import Enum, Flag, IntEnum, auto
class Colour(Enum):
    RED = 1
    BLUE = auto()
class Right(Flag):
    R = auto()
    W = auto()
print(list(Colour), Colour["RED"].value, Right.R | Right.W, Colour(2).name)
