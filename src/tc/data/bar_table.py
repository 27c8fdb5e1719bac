"""Bars as columns: the one shape in which every part of the product hands bars to another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tc.errors import TcBug

if TYPE_CHECKING:
    from numpy.typing import NDArray

COLUMNS = ("ts_event", "open", "high", "low", "close", "volume")
PRICE_COLUMNS = ("open", "high", "low", "close")


@dataclass(frozen=True, eq=False)
class BarTable:
    """Bars as six columns of equal length, ordered by time.

    `ts_event` is the bar's close in UNIX nanoseconds (uint64), strictly increasing; the others are float64.
    Every column is a contiguous, writable array: the engine's loader refuses read-only ones. Values are not
    judged here (see `row_check`); a wrong shape is a bug of the caller and raises TcBug.
    """

    ts_event: NDArray[np.uint64]
    open: NDArray[np.float64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]
    volume: NDArray[np.float64]

    def __post_init__(self) -> None:
        """Refuse columns that the engine or the fingerprint would misread."""
        for name in COLUMNS:
            column = getattr(self, name)
            kind = np.uint64 if name == "ts_event" else np.float64
            flags = column.flags
            if column.dtype != kind or column.ndim != 1 or not (flags.c_contiguous and flags.writeable):
                raise TcBug(f"column {name} was {column.dtype}, expected a writable contiguous {kind.__name__} array")
            if len(column) != len(self.ts_event):
                raise TcBug(f"column {name} had {len(column)} rows, expected {len(self.ts_event)}")
        if np.any(self.ts_event[1:] <= self.ts_event[:-1]):
            raise TcBug("column ts_event was not strictly increasing")

    @classmethod
    def of(
        cls,
        ts_event: Sequence[int] | NDArray[Any],
        open_: Sequence[float] | NDArray[Any],
        high: Sequence[float] | NDArray[Any],
        low: Sequence[float] | NDArray[Any],
        close: Sequence[float] | NDArray[Any],
        volume: Sequence[float] | NDArray[Any],
    ) -> BarTable:
        """Return a table that owns copies of the given columns."""
        prices = (np.array(column, dtype=np.float64) for column in (open_, high, low, close, volume))
        return cls(np.array(ts_event, dtype=np.uint64), *prices)

    def __len__(self) -> int:
        """Return the number of bars."""
        return len(self.ts_event)

    def rows(self, start: int, stop: int) -> BarTable:
        """Return a copy of the bars with index `start <= index < stop`."""
        return BarTable.of(*(getattr(self, name)[start:stop] for name in COLUMNS))

    def between(self, start_ns: int, end_ns: int) -> BarTable:
        """Return a copy of the bars that close at `start_ns <= ts_event < end_ns`."""
        bounds = np.array([max(start_ns, 0), max(end_ns, 0)], dtype=np.uint64)
        first, last = np.searchsorted(self.ts_event, bounds)
        return self.rows(int(first), int(last))

    def with_volume(self, volume: NDArray[np.float64]) -> BarTable:
        """Return the same bars with another volume; the other columns are shared."""
        return BarTable(self.ts_event, self.open, self.high, self.low, self.close, volume)
