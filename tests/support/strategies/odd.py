"""A strategy that decides by everything but prices: its clock, timers, denials, past bars, or chance."""

from __future__ import annotations

import random
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pandas as pd
from nautilus_trader.config import StrategyConfig
from nautilus_trader.model.data import BarType
from nautilus_trader.model.enums import OrderSide, TimeInForce
from nautilus_trader.model.identifiers import InstrumentId
from nautilus_trader.trading.strategy import Strategy

HISTORY_AT = 5
BOUGHT_AT = 8  # the first bar, where seven were counted for what was denied at the start


class OddConfig(StrategyConfig, frozen=True):
    """What to trade, and by what to decide."""

    instrument_id: InstrumentId
    bar_type: BarType
    trade_size: Decimal
    mode: str = "quiet"


class Odd(Strategy):
    """Counts what it sees, and sizes orders by the count."""

    def __init__(self, config: OddConfig) -> None:
        super().__init__(config)
        self.n = 0

    def on_start(self) -> None:
        """Subscribe, and set timers."""
        self.subscribe_bars(self.config.bar_type)
        if self.config.mode == "internal":
            self.subscribe_bars(BarType.from_str(f"{self.config.instrument_id}-5-MINUTE-LAST-INTERNAL"))
        if self.config.mode == "start":
            self.send(OrderSide.BUY)
        if self.config.mode == "timer":
            self.clock.set_timer("often", timedelta(seconds=0.5), callback=self.on_often)
            self.clock.set_time_alert("once", self.clock.utc_now() + timedelta(seconds=1.1))

    def on_often(self, _event: Any) -> None:
        """Decide by the time."""
        self.send(OrderSide.BUY if self.clock.timestamp_ns() % 2 else OrderSide.SELL)

    def on_event(self, event: Any) -> None:
        """Decide at the alert."""
        if type(event).__name__ == "TimeEvent":
            self.send(OrderSide.SELL)

    def on_bar(self, bar: Any) -> None:
        """Decide by chance, or by history."""
        self.n += 1
        if self.config.mode == "random" and random.random() < 0.5:
            self.send(OrderSide.BUY)
        if self.config.mode == "gtd" or (self.config.mode == "start" and self.n == BOUGHT_AT):
            self.send(OrderSide.BUY)
        if self.config.mode == "history":
            if self.n == HISTORY_AT:
                start = pd.Timestamp(bar.ts_event, tz="UTC") - timedelta(hours=1)
                self.request_bars(self.config.bar_type, start=start, callback=self.ready)
            self.send(OrderSide.BUY if self.n % 2 else OrderSide.SELL)

    def ready(self, _request_id: Any) -> None:
        """Count the answer, and what is in the cache now."""
        self.n += 100 + self.cache.bar_count(self.config.bar_type)

    def on_order_denied(self, _event: Any) -> None:
        """Decide again at once, within the command that was denied."""
        self.n += 7
        self.cancel_all_orders(self.config.instrument_id)

    def send(self, side: OrderSide) -> None:
        """Send an order sized by the count."""
        quantity = self.cache.instrument(self.config.instrument_id).make_qty(self.config.trade_size * (1 + self.n % 3))
        if self.config.mode == "gtd":
            price = self.cache.bar(self.config.bar_type).close
            until = self.clock.utc_now() + timedelta(hours=1)
            words = {"time_in_force": TimeInForce.GTD, "expire_time": until}
            order = self.order_factory.limit(self.config.instrument_id, side, quantity, price, **words)
        else:
            order = self.order_factory.market(self.config.instrument_id, side, quantity)
        self.submit_order(order)

    def on_save(self) -> dict[str, Any]:
        """Keep the count."""
        return {"n": str(self.n) if self.config.mode == "text" else str(self.n).encode()}

    def on_load(self, state: dict[str, bytes]) -> None:
        """Take it up again."""
        self.n = int(state["n"])
