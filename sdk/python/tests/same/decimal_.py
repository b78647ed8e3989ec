from decimal import Decimal, getcontext
from fractions import Fraction
getcontext().prec = 40
print(Decimal(2).sqrt(), Decimal("1.10") + Decimal("2.205"), Fraction(355, 113) + Fraction("0.25"), Fraction(3.5).limit_denominator())
