from datetime import date, datetime, timedelta, timezone
d = datetime(2024, 2, 29, 12, 30, tzinfo=timezone.utc)
print(d + timedelta(days=366), d.isoformat(), d.strftime("%A %d %B %Y %j"), date(2026, 1, 1).isocalendar(), datetime.strptime("3 Mar 2021", "%d %b %Y"), d.timestamp())
print(datetime.fromisoformat("2020-01-02T03:04:05+02:00").astimezone(timezone.utc))
