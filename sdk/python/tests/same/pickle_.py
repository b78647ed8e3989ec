import copy, pickle, struct
class Thing:
    def __init__(self, x): self.x = x
    def __eq__(self, other): return self.x == other.x
t = Thing([1, {"a": (2, 3)}])
print(pickle.loads(pickle.dumps(t)) == t, copy.deepcopy(t) == t, struct.pack("<IhQ", 1, -2, 3).hex(), struct.unpack(">d", bytes.fromhex("400921fb54442d18")))
