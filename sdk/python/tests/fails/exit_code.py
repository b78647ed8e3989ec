# fails: that is all
import sys
sys.exit('that is all')
