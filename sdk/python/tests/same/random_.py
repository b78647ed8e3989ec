import random
r = random.Random(42)
print(r.random(), r.randint(1, 100), r.choice("abc"), r.sample(range(100), 5), r.gauss(0, 1))
x = list(range(10))
r.shuffle(x)
print(x)
random.seed("seed")
print(random.random())
