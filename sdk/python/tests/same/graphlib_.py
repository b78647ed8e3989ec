from graphlib import TopologicalSorter, CycleError
print(list(TopologicalSorter({"d": {"b", "c"}, "b": {"a"}, "c": {"b"}}).static_order()))
try:
    list(TopologicalSorter({1: {2}, 2: {1}}).static_order())
except CycleError as error:
    print("cycle")
