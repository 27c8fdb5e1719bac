"""Trading days and weeks: they turn at 00:00 UTC, weeks on Monday."""

from __future__ import annotations

DAY_NS = 86_400_000_000_000
_DAYS_FROM_MONDAY = 3  # 1970-01-01 was a Thursday


def day_of(ts_ns: int) -> int:
    """Return the days since 1970-01-01 of a UNIX time in ns."""
    return ts_ns // DAY_NS


def week_of(ts_ns: int) -> int:
    """Return the weeks, Monday to Sunday, since the one that holds 1970-01-01."""
    return (day_of(ts_ns) + _DAYS_FROM_MONDAY) // 7
