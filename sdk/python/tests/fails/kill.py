# fails: hint: nobody sends signals in the sandbox
import os
os.kill(1, 9)
