"""Bar intervals as text, such as `1m`."""

from __future__ import annotations

import re

from tc.errors import InputError

_UNIT_NS = {
    "s": 1_000_000_000,
    "m": 60 * 1_000_000_000,
    "h": 3_600 * 1_000_000_000,
    "d": 86_400 * 1_000_000_000,
    "w": 7 * 86_400 * 1_000_000_000,
}
_STEP = re.compile(r"([1-9][0-9]{0,5})([smhdw])")


def parse_step(text: str) -> int:
    """Return the nanoseconds of a bar interval such as `30s`, `1m`, `4h`, `1d` or `1w`; raise InputError."""
    match = _STEP.fullmatch(text)
    if match is None:
        raise InputError(f"step was {text!r}, expected a number and a unit such as 30s, 1m, 4h, 1d or 1w")
    return int(match[1]) * _UNIT_NS[match[2]]


def step_text(step_ns: int) -> str:
    """Return nanoseconds in the largest unit that divides them, such as `15m`."""
    for unit in reversed(_UNIT_NS):
        if step_ns and step_ns % _UNIT_NS[unit] == 0:
            return f"{step_ns // _UNIT_NS[unit]}{unit}"
    return f"{step_ns}ns"
