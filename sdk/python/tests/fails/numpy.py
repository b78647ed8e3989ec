# fails: numpy is compiled code
import numpy as np
print(np.zeros(3))
