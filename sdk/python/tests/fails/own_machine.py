# fails: /in and /out only
open('/etc/passwd')
