import base64, binascii
print(base64.b64encode(bytes(range(20))), base64.b32decode("MZXW6==="), binascii.crc32(b"grove"), base64.b85encode(b"hello"))
