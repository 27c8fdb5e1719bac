"""The closed bars of a symbol as the klines endpoint lists them."""

from __future__ import annotations

from collections import deque
from typing import Any, Protocol

from tc.venue.bar_source import BarSource
from tc.venue.exchange.market import Market
from tc.venue.server.market_message import kline_row

RELAYED_BARS_KEPT = 5_000
_NS = 1_000_000


class History(Protocol):
    """Rows of closed bars, oldest first."""

    @property
    def interval(self) -> str:
        """The bars' interval, such as 1m."""

    def rows(self, start_ms: int | None, end_ms: int | None, limit: int) -> list[list[Any]]:
        """Return the bars that open from `start_ms` to `end_ms`: the first `limit`, or without a start the last."""


class DatasetHistory:
    """What the feed has played of a dataset, stamped `offset_ns` later than there."""

    def __init__(self, source: BarSource, market: Market, offset_ns: int) -> None:
        self._source = source
        self._market = market
        self._offset_ns = offset_ns

    @property
    def interval(self) -> str:
        """The dataset's interval."""
        return self._source.interval

    def rows(self, start_ms: int | None, end_ms: int | None, limit: int) -> list[list[Any]]:
        """Return bars; a start between two opens is rounded up to the later one."""
        stop = self._market.bar_index + 1
        if end_ms is not None:
            # The first bar that opens after the end: one that opens at it is included.
            stop = min(stop, self._source.first_at(end_ms * _NS - self._offset_ns + 1))
        if start_ms is None:
            start = max(0, stop - limit)
        else:
            start = self._source.first_at(start_ms * _NS - self._offset_ns)
            stop = min(stop, start + limit)
        symbol = self._market.symbol
        return [kline_row(self._source.bar(index), symbol, self._offset_ns) for index in range(start, stop)]


class RelayedHistory:
    """The last bars that were passed through since the start of this process."""

    def __init__(self, interval: str) -> None:
        self._interval = interval
        self._rows: deque[list[Any]] = deque(maxlen=RELAYED_BARS_KEPT)

    @property
    def interval(self) -> str:
        """The interval that is passed through."""
        return self._interval

    def add(self, bar: dict[str, Any]) -> None:
        """Keep a closed bar, given as the `k` of its message."""
        names = ("t", "o", "h", "l", "c", "v", "T", "q", "n", "V", "Q", "B")
        row = [bar.get(name, "0") for name in names]
        if not self._rows or row[0] > self._rows[-1][0]:
            self._rows.append(row)

    def rows(self, start_ms: int | None, end_ms: int | None, limit: int) -> list[list[Any]]:
        """Return bars of the given window."""
        chosen = [row for row in self._rows if (start_ms or 0) <= row[0] and (end_ms is None or row[0] <= end_ms)]
        return chosen[-limit:] if start_ms is None else chosen[:limit]
