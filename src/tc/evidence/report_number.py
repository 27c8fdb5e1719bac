"""Numbers and times as a report prints them: thousands separators, sensible digits, a true minus sign, UTC.

Every function takes None, NaN or infinity and gives `ABSENT` for it: a report never prints `nan`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from decimal import Decimal

type Number = int | float | Decimal

ABSENT = "\u2013"
MINUS = "\u2212"
NS_PER_S = 1_000_000_000
SIGNIFICANT_DIGITS = 5
DECIMALS_MAX = 8
DAYS_PER_YEAR = 365.25


def plain(number: Number | None, decimals: int = 0) -> str:
    """Return `1,234.50` with exactly `decimals` decimals."""
    if not is_number(number):
        return ABSENT
    text = f"{number:,.{decimals}f}"
    if text.startswith("-"):
        return MINUS + text[1:] if text.strip("-0.,") else text[1:]
    return text


def signed(number: Number | None, decimals: int = 0) -> str:
    """Return the number with its sign, also a plus; zero has none."""
    text = plain(number, decimals)
    return f"+{text}" if text[0] not in MINUS + ABSENT and text.strip("0.,") else text


def percent(fraction: Number | None, decimals: int | None = None) -> str:
    """Return a fraction as `12.34%`, below 0.1% as `0.0123%`, past 10,000% without decimals, or as `decimals` says."""
    return _percent(plain, fraction, decimals)


def signed_percent(fraction: Number | None, decimals: int | None = None) -> str:
    """Return a fraction as `+12.34%`, with the decimals of `percent`."""
    return _percent(signed, fraction, decimals)


def is_number(number: object) -> bool:
    """Return whether this is a finite number; a bool is none."""
    return isinstance(number, int | float | Decimal) and not isinstance(number, bool) and math.isfinite(number)


def decimals_for(numbers: Iterable[Number | None], precision_max: int = DECIMALS_MAX) -> int:
    """Return the decimals that suit a column: about five digits for its largest number, 2 to `precision_max`."""
    largest = max((abs(float(number)) for number in numbers if number is not None and is_number(number)), default=0.0)
    if largest == 0:
        return min(2, precision_max)
    whole = math.floor(math.log10(largest)) + 1
    return min(max(SIGNIFICANT_DIGITS - whole, 2), precision_max)


def moment(ts_ns: int | None) -> str:
    """Return UNIX nanoseconds as `2022-01-31 09:30`, with seconds where there are any."""
    if ts_ns is None:
        return ABSENT
    stamp = datetime.fromtimestamp(ts_ns // NS_PER_S, UTC)
    return f"{stamp:%Y-%m-%d %H:%M:%S}" if stamp.second or ts_ns % NS_PER_S else f"{stamp:%Y-%m-%d %H:%M}"


def wall_time(text: str | None) -> str:
    """Return an ISO stamp as metadata has it, cut to whole seconds: `2026-01-31 09:30:05 UTC`."""
    if not text:
        return ABSENT
    return f"{text[:10]} {text[11:19]} UTC" if text.endswith("Z") and len(text) > 19 else text


def days(count: float | None) -> str:
    """Return `12.3 days`, from 100 days on whole ones, from two years on `5.2 years`."""
    if count is None or not is_number(count):
        return ABSENT
    if count >= 2 * DAYS_PER_YEAR:
        return f"{count / DAYS_PER_YEAR:.1f} years"
    return f"{plain(count, 0 if count >= 100 else 1)} days"


def duration(seconds: float | None) -> str:
    """Return a span in its two largest units: `3 d 4 h`, `15 min 30 s`, `0.2 s`."""
    if seconds is None or not is_number(seconds):
        return ABSENT
    if seconds < 60:
        return f"{seconds:g} s" if seconds == int(seconds) else f"{seconds:.1f} s"
    units = (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1))
    first = next(index for index, (_, size) in enumerate(units) if seconds >= size)
    parts = []
    rest = int(seconds)
    for name, size in units[first : first + 2]:
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count:,} {name}")
    return " ".join(parts)


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """Return `1 order`, `2 orders`."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def _percent(style: Callable[[Number, int], str], fraction: Number | None, decimals: int | None) -> str:
    if fraction is None or not is_number(fraction):
        return ABSENT
    value = float(fraction) * 100
    if decimals is None:
        size = abs(value)
        decimals = 4 if 0 < size < 0.1 else 2 if size < 10_000 else 0
    return f"{style(value, decimals)}%"
