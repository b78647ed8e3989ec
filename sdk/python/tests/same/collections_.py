from collections import Counter, OrderedDict, defaultdict, deque, namedtuple, ChainMap
P = namedtuple("P", "x y")
d = deque(range(5), 3)
d.rotate(1)
g = defaultdict(list)
g["a"].append(1)
print(Counter("mississippi").most_common(), P(1, 2)._replace(y=5), d, dict(g), ChainMap({"a": 1}, {"a": 2, "b": 3})["b"])
