import re
print(re.findall(r"(\w+)@(\w+)\.org", "a@b.org, cd@ef.org"), re.sub(r"(?P<y>\d{4})-(\d\d)", r"\2/\g<y>", "on 2026-11"), re.split(r"[,;]\s*", "a, b;c"), re.fullmatch(r"(?i)ABC+", "abcc") is not None)
print([m.span() for m in re.finditer(r"(?<=a)b*", "abbab")], re.compile(r"^x.*?y$", re.M | re.S).findall("x\ny\nx1y"))
