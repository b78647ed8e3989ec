import statistics as s
data = [2, 4, 4, 4, 5, 5, 7, 9]
print(s.mean(data), s.median(data), s.mode(data), s.pstdev(data), s.quantiles(data, n=4), round(s.NormalDist(0, 1).cdf(1.96), 6), s.linear_regression([1, 2, 3], [2, 4, 6]))
