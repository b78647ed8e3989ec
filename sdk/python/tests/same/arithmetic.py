print(2**521 % 1000007, -7 // 3, -7 % 3, divmod(10**30, 7**20), pow(3, -1, 11), (10**50).bit_length())
print(0.1 + 0.2, round(2.675, 2), float("1e-7"), 1e22, complex(1, 2) * 2, 7.0 // 2, -0.0, float("nan"))
