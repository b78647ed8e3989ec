import calendar
print(calendar.month(2026, 2), calendar.isleap(2100), calendar.monthrange(2024, 2)[1])
