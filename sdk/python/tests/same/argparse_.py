import argparse
p = argparse.ArgumentParser(prog="x")
p.add_argument("-n", type=int, default=3)
p.add_argument("names", nargs="*")
print(p.parse_args(["-n", "5", "a", "b"]))
