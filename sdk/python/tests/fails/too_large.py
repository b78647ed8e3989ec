# fails: hint: a part is a machine of 32 bits
bytearray(3_000_000_000)
