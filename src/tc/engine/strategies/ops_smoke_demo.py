"""The smallest strategy worth running: it counts bars, acts once and sends nothing."""

from __future__ import annotations

from nautilus_trader.common.enums import LogColor
from nautilus_trader.config import PositiveInt, StrategyConfig
from nautilus_trader.model.data import Bar, BarType
from nautilus_trader.trading.strategy import Strategy


class OpsSmokeDemoConfig(StrategyConfig, frozen=True):
    """The bars to count and the count at which to act."""

    bar_type: BarType
    act_at_bar: PositiveInt = 10


class OpsSmokeDemo(Strategy):
    """Shows that bars arrive and that a strategy's action is seen, without an order."""

    def __init__(self, config: OpsSmokeDemoConfig) -> None:
        super().__init__(config)
        self.bars = 0

    def on_start(self) -> None:
        """Subscribe."""
        self.subscribe_bars(self.config.bar_type)

    def on_bar(self, bar: Bar) -> None:
        """Count; at the chosen bar, say so once in the engine's log."""
        self.bars += 1
        if self.bars == self.config.act_at_bar:
            self.log.warning(f"acted once at bar {self.bars}, close {bar.close}", LogColor.GREEN)

    def on_stop(self) -> None:
        """Nothing was sent, so nothing is left."""
