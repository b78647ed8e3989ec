# fails: --requirements
from zoneinfo import ZoneInfo
ZoneInfo('Europe/Berlin')
