print("{:>8.3f}|{:<5}|{:^7}|{:+d}|{:#x}|{:,}".format(3.14159, "ab", "mid", 5, 255, 1234567), f"{'x'!r:>5}", "%05.1f %s" % (2.25, [1]))
print("Straße".upper(), "ǅ".lower(), "ä😀".encode("utf-8"), "a\tb".expandtabs(4), "abc".translate({97: "X"}), "x".join("abc"), "aXbX".rpartition("X"), " a ".strip(), "é" == "e\u0301")
print("naïve café".encode("ascii", "xmlcharrefreplace"), "abc"[::-1], "a,b,,c".split(","), "title case".title(), "١".isdigit(), ord("€"), chr(128512))
