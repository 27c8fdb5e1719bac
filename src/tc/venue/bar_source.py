"""The bars of a dataset as the feed wants them: on the symbol's grid, by index, made only when they are due."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from tc.errors import DatasetInvalid
from tc.venue.bar_path import FeedBar, to_grid
from tc.venue.exchange.symbol import Symbol, floor_to

if TYPE_CHECKING:
    from tc.data.dataset_store import Dataset

INTERVALS = {
    60: "1m",
    180: "3m",
    300: "5m",
    900: "15m",
    1_800: "30m",
    3_600: "1h",
    7_200: "2h",
    14_400: "4h",
    21_600: "6h",
    28_800: "8h",
    43_200: "12h",
    86_400: "1d",
    259_200: "3d",
    604_800: "1w",
}
_NS = 1_000_000_000


class BarSource:
    """The bars of one dataset for one symbol."""

    def __init__(self, dataset: Dataset, symbol: Symbol) -> None:
        seconds, rest = divmod(dataset.info.step_ns, _NS)
        if rest or seconds not in INTERVALS:
            raise DatasetInvalid(
                f"dataset {dataset.info.name} has bars of {dataset.info.step_ns} ns, "
                f"expected one of {', '.join(INTERVALS.values())}; import it with another step"
            )
        self.symbol = symbol
        self.step_ns = dataset.info.step_ns
        self.interval = INTERVALS[seconds]
        self._table = dataset.table
        self._volume = dataset.info.volume
        self._constant = dataset.info.volume_constant

    def __len__(self) -> int:
        """Return the number of bars."""
        return len(self._table)

    def open_ns(self, index: int) -> int:
        """Return when a bar opens."""
        return int(self._table.ts_event[index]) - self.step_ns

    def bar(self, index: int) -> FeedBar:
        """Return one bar."""
        table = self._table
        close_ns = int(table.ts_event[index])
        opened, high, low, close = (
            to_grid(float(column[index]), self.symbol) for column in (table.open, table.high, table.low, table.close)
        )
        volume = self._base_volume(float(table.volume[index]), close)
        return FeedBar(index, close_ns - self.step_ns, close_ns, opened, high, low, close, volume)

    def first_at(self, open_ns: int) -> int:
        """Return the index of the first bar that opens at `open_ns` or later: rounded up, never down."""
        import numpy as np

        return int(np.searchsorted(self._table.ts_event, np.uint64(max(0, open_ns + self.step_ns))))

    def _base_volume(self, volume: float, close: Decimal) -> Decimal:
        if self._volume == "constant" and self._constant is not None:
            return floor_to(self._constant, self.symbol.lot)
        value = Decimal(repr(volume))
        if self._volume == "quote":
            value /= close
        return floor_to(value, self.symbol.lot)
