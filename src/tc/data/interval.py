"""The distance between bars: detected, read from text, and the gaps that it reveals."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from tc.data.dataset_info import GAPS_LISTED_MAX, Gap, GapSummary
from tc.errors import DatasetInvalid, InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

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


def modal_step(ts: NDArray[np.uint64]) -> int | None:
    """Return the most frequent distance of neighbors in nanoseconds, the smaller one of two equally frequent.

    Distances that are not positive do not count; None where none is left.
    """
    forward = ts[1:] > ts[:-1]
    distances, counts = np.unique((ts[1:] - ts[:-1])[forward], return_counts=True)
    return int(distances[np.argmax(counts)]) if len(distances) else None


def agreed_step(given: int | None, detected: int | None, source: str) -> int:
    """Return the bar interval of `source`: the given one if it can be true, else the detected one.

    Bars may be further apart than the given interval, because bars may be missing, but not closer.
    Raises DatasetInvalid otherwise, or where neither is known.
    """
    if given is None and detected is None:
        raise DatasetInvalid(
            f"{source}: the bar interval cannot be detected from one row; give it, e.g. --step 1m"
        )
    if given is None:
        assert detected is not None
        return detected
    if detected is not None and given > detected:
        raise DatasetInvalid(
            f"{source}: the step was given as {step_text(given)}, but most bars are {step_text(detected)} apart; "
            "give the interval of the bars or leave it out"
        )
    return given


def find_gaps(ts_event: NDArray[np.uint64], step_ns: int) -> GapSummary:
    """Return the places where neighbors are further apart than one step; the times must be increasing.

    A distance that is no multiple of the step counts every bar that was due before the later neighbor.
    """
    distances = ts_event[1:] - ts_event[:-1]
    before = np.flatnonzero(distances > np.uint64(step_ns))
    missing = (distances[before] - np.uint64(1)) // np.uint64(step_ns)
    first = tuple(
        Gap(int(ts_event[index]), int(ts_event[index + 1]), int(count))
        for index, count in zip(before[:GAPS_LISTED_MAX], missing[:GAPS_LISTED_MAX], strict=True)
    )
    return GapSummary(
        count=len(before),
        missing_bars=int(missing.sum()),
        largest_missing_bars=int(missing.max(initial=0)),
        first=first,
    )
