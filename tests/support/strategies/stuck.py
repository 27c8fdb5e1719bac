"""A strategy that holds a position with a stop, and then blocks its node, or kills it."""

from __future__ import annotations

import os
import signal
import time
from collections import deque
from decimal import Decimal
from itertools import repeat
from typing import Any

from nautilus_trader.config import StrategyConfig
from nautilus_trader.model.data import BarType
from nautilus_trader.model.enums import OrderSide
from nautilus_trader.model.identifiers import InstrumentId
from nautilus_trader.trading.strategy import Strategy

from tc.engine.live_sink import LiveSink

STUCK_AT = 8
FLUSH_INPUTS, RECORDED = LiveSink._flush_inputs, LiveSink.recorded
C_TURNS = 2_000_000_000


class StuckConfig(StrategyConfig, frozen=True):
    """What to trade, and what to do at the eighth bar: `python`, `c`, `dies`, `leaving`, or nothing."""

    instrument_id: InstrumentId
    bar_type: BarType
    trade_size: Decimal
    mode: str = "nothing"
    seconds: float = 3.0


class Stuck(Strategy):
    """Buys once, protects it, and does what it is told."""

    def __init__(self, config: StuckConfig) -> None:
        super().__init__(config)
        self.n = 0
        self.has_lived = False

    def on_start(self) -> None:
        """Subscribe; a strategy that always dies does so at its start, once it has what it holds."""
        self.subscribe_bars(self.config.bar_type)
        self.has_lived = bool(self.cache.orders())
        if self.config.mode == "dies" and self.cache.orders():
            os.kill(os.getpid(), signal.SIGKILL)

    def on_bar(self, bar: Any) -> None:
        """Trade, then be stuck."""
        self.n += 1
        make_qty = self.cache.instrument(self.config.instrument_id).make_qty
        if self.n == 1 and not self.cache.orders():
            quantity = make_qty(self.config.trade_size)
            self.submit_order(self.order_factory.market(self.config.instrument_id, OrderSide.BUY, quantity))
        if self.n == STUCK_AT or (self.n > STUCK_AT and self.config.mode == "leaving"):
            getattr(self, f"be_{self.config.mode}")()

    def on_order_filled(self, event: Any) -> None:
        """Protect what was bought."""
        if event.order_side == OrderSide.BUY:
            instrument = self.cache.instrument(self.config.instrument_id)
            trigger = instrument.make_price(event.last_px.as_decimal() * Decimal("0.7"))
            quantity = instrument.make_qty(event.last_qty.as_decimal())
            self.submit_order(
                self.order_factory.stop_market(
                    self.config.instrument_id, OrderSide.SELL, quantity, trigger, reduce_only=True
                )
            )

    def be_python(self) -> None:
        """Keep the loop by Python code."""
        until = time.monotonic() + self.config.seconds
        while time.monotonic() < until:
            pass

    def be_c(self) -> None:
        """Keep the interpreter by C code, which never looks at signals."""
        deque(repeat(None, C_TURNS), maxlen=0)

    def be_dies(self) -> None:
        """Kill the node."""
        os.kill(os.getpid(), signal.SIGKILL)

    def be_leaving(self) -> None:
        """Kill the node when an order has left and its inputs are to be written; in the node's first life."""
        if self.has_lived:
            return

        may_leave: list[bool] = []

        async def recorded(sink: LiveSink, wanted: int) -> None:
            await RECORDED(sink, wanted)
            if sink._are_inputs_due:  # what comes next is the request, and then the inputs
                may_leave.append(True)

        def dies(sink: LiveSink) -> None:
            if may_leave:
                os.kill(os.getpid(), signal.SIGKILL)
            FLUSH_INPUTS(sink)

        LiveSink.recorded, LiveSink._flush_inputs = recorded, dies
        LiveSink._flush_all = lambda _sink: None  # no timer comes before
        quantity = self.cache.instrument(self.config.instrument_id).make_qty(self.config.trade_size)
        self.submit_order(self.order_factory.market(self.config.instrument_id, OrderSide.SELL, quantity))

    def be_nothing(self) -> None:
        """Go on."""
