# fails: no other programs
import subprocess
subprocess.run(['ls'])
