# fails: no threads
import threading
threading.Thread(target=print).start()
