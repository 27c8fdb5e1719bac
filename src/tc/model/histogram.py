"""A histogram of seconds: cheap to add to, and the same in memory, in a document and on a metrics page."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from typing import Any, Self

LATENCY_BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Upper bounds in seconds of what an order waits for."""
LONG_BOUNDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Upper bounds in seconds of what people and safety wait for; 5 is the promise of an alert."""

_US = 1_000_000


class Histogram:
    """Counts by bucket, the last of which has no bound; `total` is the sum of all seconds."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...] = LATENCY_BOUNDS) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    @property
    def count(self) -> int:
        """How many were added."""
        return sum(self.counts)

    def add(self, seconds: float) -> None:
        """Add one; what a clock made negative counts as none at all."""
        seconds = max(0.0, seconds)
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.total += seconds

    def merge(self, other: Histogram) -> None:
        """Add all of another with the same bounds."""
        assert self.bounds == other.bounds, "buckets match"
        self.counts = [mine + theirs for mine, theirs in zip(self.counts, other.counts, strict=True)]
        self.total += other.total

    def cumulative(self) -> list[tuple[float | None, int]]:
        """Return each bound, None for the last, with how many were at most that long."""
        found: list[tuple[float | None, int]] = []
        so_far = 0
        for bound, count in zip((*self.bounds, None), self.counts, strict=True):
            so_far += count
            found.append((bound, so_far))
        return found

    def as_json(self) -> dict[str, Any]:
        """Return it as documents have it, in whole microseconds."""
        bounds = [round(bound * _US) for bound in self.bounds]
        return {"bounds_us": bounds, "counts": list(self.counts), "sum_us": round(self.total * _US)}

    @classmethod
    def of_json(cls, document: Any, bounds: tuple[float, ...] = LATENCY_BOUNDS) -> Self:
        """Return the histogram of a document; an empty one for None, or for one with other buckets.

        Raises:
            KeyError, TypeError, ValueError: it is no histogram.
        """
        found = cls(bounds)
        if document is not None and document["bounds_us"] == [round(bound * _US) for bound in bounds]:
            counts = [int(count) for count in document["counts"]]
            if len(counts) != len(found.counts) or min(counts) < 0:
                raise ValueError("a histogram with a wrong number of counts, or one below zero")
            found.counts, found.total = counts, int(document["sum_us"]) / _US
        return found

    @classmethod
    def of(cls, seconds: Iterable[float], bounds: tuple[float, ...] = LATENCY_BOUNDS) -> Self:
        """Return the histogram of some numbers."""
        found = cls(bounds)
        for each in seconds:
            found.add(each)
        return found
