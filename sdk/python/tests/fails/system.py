# fails: no other programs
import os
os.system('ls')
