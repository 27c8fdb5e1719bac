"""The distance between bars: detected, agreed, and the gaps that it reveals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tc.data.dataset_info import GAPS_LISTED_MAX, Gap, GapSummary
from tc.data.step import step_text
from tc.errors import DatasetInvalid

if TYPE_CHECKING:
    from numpy.typing import NDArray


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
        raise DatasetInvalid(f"{source}: the bar interval cannot be detected from one row; give it, e.g. --step 1m")
    if given is None:
        assert detected is not None
        return detected
    if detected is not None and given > detected:
        raise DatasetInvalid(
            f"{source}: the step was given as {step_text(given)}, but most bars are {step_text(detected)} "
            "apart; give the interval of the bars or leave it out"
        )
    return given


def find_gaps(ts_event: NDArray[np.uint64], step_ns: int) -> GapSummary:
    """Return the places where bars are missing between neighbors; the times must be increasing.

    Distances are rounded to whole steps: a bar that came somewhat late is no gap.
    """
    steps = (ts_event[1:] - ts_event[:-1] + np.uint64(step_ns // 2)) // np.uint64(step_ns)
    before = np.flatnonzero(steps > 1)
    missing = steps[before] - np.uint64(1)
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
