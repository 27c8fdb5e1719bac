"""Two averages and no order: what the engine costs by itself."""

from __future__ import annotations

from nautilus_trader.config import StrategyConfig
from nautilus_trader.indicators import ExponentialMovingAverage
from nautilus_trader.model.data import Bar, BarType
from nautilus_trader.trading.strategy import Strategy


class QuietConfig(StrategyConfig, frozen=True):
    """The bars to watch."""

    bar_type: BarType


class Quiet(Strategy):
    """Watches and never acts."""

    def __init__(self, config: QuietConfig) -> None:
        super().__init__(config)
        self.fast = ExponentialMovingAverage(10)
        self.slow = ExponentialMovingAverage(20)
        self.above = 0

    def on_start(self) -> None:
        """Subscribe."""
        self.register_indicator_for_bars(self.config.bar_type, self.fast)
        self.register_indicator_for_bars(self.config.bar_type, self.slow)
        self.subscribe_bars(self.config.bar_type)

    def on_bar(self, bar: Bar) -> None:
        """Compare, as a strategy would."""
        if self.fast.value > self.slow.value:
            self.above += 1

    def on_stop(self) -> None:
        """Nothing to leave behind."""
