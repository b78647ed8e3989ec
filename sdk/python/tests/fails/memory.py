# fails: --memory
x = bytearray(2000 << 20)
