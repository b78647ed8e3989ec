# fails: no LZMA
import lzma
