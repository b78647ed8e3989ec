import csv, io
rows = [["a", "b,c", 'd"e'], ["1", "two\nlines", ""]]
out = io.StringIO()
csv.writer(out).writerows(rows)
print(repr(out.getvalue()), list(csv.reader(io.StringIO(out.getvalue()))) == rows)
print(list(csv.DictReader(io.StringIO("x;y\n1;2\n"), delimiter=";")))
