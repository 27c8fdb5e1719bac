"""A strategy that sends at an even rate and wants nothing: orders far from the market, each taken back when it rests.

It is the load of `tc stress`, and nobody's advice.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from nautilus_trader.config import PositiveFloat, StrategyConfig
from nautilus_trader.model.data import Bar, BarType
from nautilus_trader.model.enums import OrderSide
from nautilus_trader.model.identifiers import InstrumentId
from nautilus_trader.trading.strategy import Strategy

BEAT_S = 0.02
AWAY = Decimal("0.99")


class MetronomeConfig(StrategyConfig, frozen=True):
    """What to trade, on which bars, how much, and how many orders a second; each is two messages."""

    instrument_id: InstrumentId
    bar_type: BarType
    trade_size: Decimal
    orders_per_s: PositiveFloat


class Metronome(Strategy):
    """Rests buy orders a hundredth below the market and cancels each once it is accepted."""

    def __init__(self, config: MetronomeConfig) -> None:
        super().__init__(config)
        self.started_ns = 0
        self.sent = 0
        self.price: Any = None

    def on_start(self) -> None:
        """Subscribe: the first bar tells what the market is."""
        self.instrument = self.cache.instrument(self.config.instrument_id)
        self.subscribe_bars(self.config.bar_type)

    def on_bar(self, bar: Bar) -> None:
        """Begin with the first one."""
        if self.price is None:
            self.price = self.instrument.make_price(bar.close.as_decimal() * AWAY)
            self.started_ns = self.clock.timestamp_ns()
            self.clock.set_timer("beat", timedelta(seconds=BEAT_S), callback=self.on_beat)

    def on_beat(self, _event: Any) -> None:
        """Send what is due by now: a beat that comes late makes up for it."""
        due = int((self.clock.timestamp_ns() - self.started_ns) / 1e9 * self.config.orders_per_s)
        while self.sent < due:
            self.sent += 1
            quantity = self.instrument.make_qty(self.config.trade_size)
            self.submit_order(
                self.order_factory.limit(self.config.instrument_id, OrderSide.BUY, quantity, self.price, post_only=True)
            )

    def on_order_accepted(self, event: Any) -> None:
        """Take it back."""
        order = self.cache.order(event.client_order_id)
        if order is not None and order.is_open:
            self.cancel_order(order)
