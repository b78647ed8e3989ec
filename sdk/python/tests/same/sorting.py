words = "the quick brown fox jumps over the lazy dog".split()
print(sorted(words, key=lambda w: (-len(w), w)), sorted({3, 1, 2}, reverse=True), max(words, key=len), {w: len(w) for w in sorted(set(words))})
print([*zip(*[[1, 2], [3, 4]])], list(map(str.upper, words[:2])), any(w == "fox" for w in words), list(enumerate("ab", 1)))
