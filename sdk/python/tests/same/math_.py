import math, cmath
print(math.factorial(40), math.comb(50, 25), math.gcd(12, 18, 27), math.isqrt(10**20), math.lcm(4, 6), math.fsum([0.1] * 10), math.hypot(3, 4), math.prod(range(1, 8)))
print(f"{math.sin(1):.12f} {math.exp(1):.12f} {math.log(10):.12f} {math.gamma(5.5):.9f} {math.erf(0.5):.12f}", math.inf > 10**400, cmath.sqrt(-4))
