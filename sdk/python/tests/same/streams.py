import sys
print("to stdout", file=sys.stdout)
print("line", end="")
sys.stdout.write("\n")
sys.stdout.buffer.write(b"raw\xc3\xa4\n")
print(sys.argv[1:], sys.stdin.readline() == "", __name__)
