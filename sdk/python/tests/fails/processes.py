# fails: no threads
import multiprocessing
multiprocessing.Pool(2).map(str, [1])
