import array, sys
a = array.array("d", [1.5, 2.5])
a.append(3)
print(a, a.itemsize, array.array("i", range(5)).tobytes().hex())
