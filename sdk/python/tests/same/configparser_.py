import configparser, io
c = configparser.ConfigParser()
c.read_string("[a]\nx = 1\ny = %(x)s2\n")
out = io.StringIO()
c.write(out)
print(c["a"]["y"], c.sections(), out.getvalue())
