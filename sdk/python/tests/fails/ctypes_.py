# fails: no C libraries
import ctypes
