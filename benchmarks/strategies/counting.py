"""Counts bars, and how late the last came: behind the pace that the first set."""

from __future__ import annotations

import time

from nautilus_trader.config import StrategyConfig
from nautilus_trader.model.data import Bar, BarType
from nautilus_trader.trading.strategy import Strategy

SPEED = 1_000


class CountingConfig(StrategyConfig, frozen=True):
    """The bars to count."""

    bar_type: BarType


class Counting(Strategy):
    """Counts."""

    def __init__(self, config: CountingConfig) -> None:
        super().__init__(config)
        self.bars = 0
        self.late_s = 0.0
        self._first: tuple[float, int] | None = None

    def on_start(self) -> None:
        """Subscribe."""
        self.subscribe_bars(self.config.bar_type)

    def on_bar(self, bar: Bar) -> None:
        """Count."""
        self.bars += 1
        now = time.monotonic()
        self._first = self._first or (now, bar.ts_event)
        began, first = self._first
        self.late_s = now - began - (bar.ts_event - first) / 1e9 / SPEED

    def on_save(self) -> dict[str, bytes]:
        """Give what was counted to whoever runs this."""
        return {"bars": str(self.bars).encode(), "late_s": f"{self.late_s:.3f}".encode()}
