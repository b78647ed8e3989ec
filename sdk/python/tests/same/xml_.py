import xml.etree.ElementTree as E
root = E.fromstring("<a x='1'><b>t</b><b/>tail</a>")
root.append(E.Element("c", {"k": "v&"}))
print(E.tostring(root).decode(), [b.text for b in root.iter("b")], root.find("c").get("k"))
try:
    E.fromstring("<a>")
except E.ParseError as error:
    print(error)
