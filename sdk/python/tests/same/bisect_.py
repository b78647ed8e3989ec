import bisect, heapq
h = [5, 1, 4, 1, 3]
heapq.heapify(h)
print(bisect.bisect([1, 3, 5], 3), [heapq.heappop(h) for _ in range(5)], heapq.nlargest(2, [3, 9, 4]), list(heapq.merge([1, 4], [2, 3])))
