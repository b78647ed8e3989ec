import logging, sys
logging.basicConfig(stream=sys.stdout, format="%(levelname)s:%(name)s:%(message)s", level=logging.INFO)
log = logging.getLogger("x")
log.info("hello %s", 3)
log.debug("not shown")
try:
    1 / 0
except ZeroDivisionError:
    log.warning("caught", exc_info=False)
