from urllib.parse import parse_qs, quote, urlencode, urljoin, urlsplit
print(urlsplit("https://u:p@h.org:8080/a/b?x=1&y=2#f"), parse_qs("a=1&a=2&b="), quote("a b/ä"), urlencode({"q": "x y", "n": [1, 2]}, doseq=True), urljoin("http://h/a/b", "../c"))
