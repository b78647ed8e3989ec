import unicodedata, codecs
print(unicodedata.name("é"), unicodedata.normalize("NFD", "é").encode(), unicodedata.category("A"), codecs.encode("hello", "rot13"), "日本".encode("utf-16-le").hex(), b"\xe9".decode("latin-1"), "µ".encode("cp1252"))
