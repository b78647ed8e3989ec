# fails: no bzip2
import bz2
bz2.compress(b'x')
