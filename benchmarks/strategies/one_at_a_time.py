"""One market order a bar, and how long each took from its submission to its fill in the strategy, milliseconds."""

from __future__ import annotations

import json
import time
from decimal import Decimal
from typing import Any

from nautilus_trader.config import StrategyConfig
from nautilus_trader.model.data import Bar, BarType
from nautilus_trader.model.enums import OrderSide
from nautilus_trader.model.identifiers import InstrumentId
from nautilus_trader.trading.strategy import Strategy


class OneAtATimeConfig(StrategyConfig, frozen=True):
    """What to trade on which bars."""

    instrument_id: InstrumentId
    bar_type: BarType
    trade_size: Decimal


class OneAtATime(Strategy):
    """Buys and sells in turn, never two orders at once."""

    def __init__(self, config: OneAtATimeConfig) -> None:
        super().__init__(config)
        self.latency_ms: list[float] = []
        self.bars = 0
        self._sent = 0.0
        self._side = OrderSide.BUY

    def on_start(self) -> None:
        """Subscribe."""
        self.subscribe_bars(self.config.bar_type)

    def on_bar(self, _bar: Bar) -> None:
        """Send the next order, if the last is filled."""
        self.bars += 1
        if self._sent:
            return
        instrument = self.cache.instrument(self.config.instrument_id)
        quantity = instrument.make_qty(self.config.trade_size)
        self._sent = time.perf_counter()
        self.submit_order(self.order_factory.market(self.config.instrument_id, self._side, quantity))

    def on_order_filled(self, _event: Any) -> None:
        """Take the time."""
        self.latency_ms.append((time.perf_counter() - self._sent) * 1e3)
        self._sent = 0.0
        self._side = OrderSide.SELL if self._side == OrderSide.BUY else OrderSide.BUY

    def on_save(self) -> dict[str, bytes]:
        """Give what was measured to whoever runs this."""
        return {"latency_ms": json.dumps(self.latency_ms).encode(), "bars": str(self.bars).encode()}
