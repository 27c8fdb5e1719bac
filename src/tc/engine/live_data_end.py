"""When the data of a live run is over: each feed gave its last bar, or the venue says that it has no more.

Bars are lost where the market stream is cut, and none comes of a feed that nobody subscribed to: counting them would
let a run wait for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tc.clock import Clock
from tc.engine.live_beat import END_SLACK_NS

QUIET_NS = 2_000_000_000
"""So long no bar comes after the venue's word: what it sent last may be on its way still."""


class DataEnd:
    """`last_bars` says when the data of a bar type ends, where known, `is_played_out` whether the venue has no more."""

    def __init__(self, last_bars: Mapping[str, int], is_played_out: Callable[[], bool], clock: Clock) -> None:
        self._last_bars = last_bars
        self._is_played_out = is_played_out
        self._clock = clock
        self._ended: set[str] = set()
        self._quiet_ns: int | None = None

    def on_bar(self, bar: Any) -> None:
        """See a bar that was delivered."""
        self._quiet_ns = None
        name = str(bar.bar_type)
        if name in self._last_bars and bar.ts_event >= self._last_bars[name] - END_SLACK_NS:
            self._ended.add(name)

    def is_over(self) -> bool:
        """Return whether nothing more will come."""
        if self._last_bars and len(self._ended) == len(self._last_bars):
            return True
        if not self._is_played_out():
            return False
        now_ns = self._clock.monotonic_ns()
        if self._quiet_ns is None:
            self._quiet_ns = now_ns
        return now_ns - self._quiet_ns >= QUIET_NS
