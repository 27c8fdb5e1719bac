"""A strategy that does, bar by bar, what a file tells it meanwhile: its test says when, and in which state."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

from nautilus_trader.config import StrategyConfig
from nautilus_trader.indicators import Indicator
from nautilus_trader.model.data import Bar, BarType
from nautilus_trader.model.enums import OrderSide
from nautilus_trader.model.identifiers import InstrumentId
from nautilus_trader.trading.strategy import Strategy

AT_THE_END = "at_the_end "


class ToldConfig(StrategyConfig, frozen=True):
    """What to trade, and the file that names one `do_` method a line; `at_the_end` keeps it for `on_stop`."""

    instrument_id: InstrumentId
    bar_type: BarType
    trade_size: Decimal
    script: str
    away: float = 0.04


class Broken(Indicator):
    """An indicator with a bug."""

    def __init__(self) -> None:
        super().__init__([])

    def handle_bar(self, _bar: Bar) -> None:
        """Raise where no handler of the strategy's is at work."""
        raise ValueError("an indicator with a bug")


class Told(Strategy):
    """One line a bar, each once. It hears bars from the bus, too, so that it acts even while it is switched off."""

    def __init__(self, config: ToldConfig) -> None:
        super().__init__(config)
        self.done = 0

    def on_start(self) -> None:
        """Subscribe."""
        self.instrument = self.cache.instrument(self.config.instrument_id)
        self.subscribe_bars(self.config.bar_type)
        self.msgbus.subscribe(f"data.bars.{self.config.bar_type}", self.on_bus)

    def on_bar(self, bar: Bar) -> None:
        """Do the next line."""
        self.step(bar)

    def on_bus(self, bar: Bar) -> None:
        """Do it behind the engine's back."""
        if self.is_stopped:
            self.step(bar)

    def step(self, bar: Bar) -> None:
        """Do the next line."""
        self.close = float(bar.close)
        lines = [line for line in self.lines() if not line.startswith(AT_THE_END)]
        if self.done < len(lines):
            self.done += 1
            getattr(self, f"do_{lines[self.done - 1]}")()

    def on_stop(self) -> None:
        """Do what was kept for the end."""
        for line in self.lines():
            if line.startswith(AT_THE_END):
                getattr(self, f"do_{line.removeprefix(AT_THE_END)}")()

    def lines(self) -> list[str]:
        """Return the script so far."""
        path = Path(self.config.script)
        return path.read_text().split("\n")[:-1] if path.exists() else []

    def send(self, side: OrderSide, quantity: str, **more: Any) -> None:
        """Send a market order."""
        size = self.instrument.make_qty(Decimal(quantity))
        self.submit_order(self.order_factory.market(self.config.instrument_id, side, size, **more))

    def do_buy(self) -> None:
        """Take a position."""
        self.send(OrderSide.BUY, "0.010")

    def do_rest(self) -> None:
        """Rest an entry that never fills."""
        price = self.instrument.make_price(self.close * (1 - self.config.away))
        size = self.instrument.make_qty(Decimal("0.002"))
        self.submit_order(self.order_factory.limit(self.config.instrument_id, OrderSide.BUY, size, price))

    def do_stop(self) -> None:
        """Protect the position."""
        price = self.instrument.make_price(self.close * (1 - self.config.away))
        size = self.instrument.make_qty(Decimal("0.010"))
        self.submit_order(
            self.order_factory.stop_market(self.config.instrument_id, OrderSide.SELL, size, price, reduce_only=True)
        )

    def do_add(self) -> None:
        """Add risk."""
        self.send(OrderSide.BUY, "0.003")

    def do_add_twice(self) -> None:
        """Add risk by two orders of one list: the second leaves when the first is answered."""
        size = self.instrument.make_qty(Decimal("0.003"))
        orders = [self.order_factory.market(self.config.instrument_id, OrderSide.BUY, size) for _ in range(2)]
        self.submit_order_list(self.order_factory.create_list(orders))

    def do_reduce(self) -> None:
        """Reduce the position."""
        self.send(OrderSide.SELL, "0.002", reduce_only=True)

    def do_add_too_much(self) -> None:
        """Add more than one order may have."""
        self.send(OrderSide.BUY, "0.060")

    def do_flip(self) -> None:
        """Sell more than there is."""
        self.send(OrderSide.SELL, "0.014")

    def do_sell_plainly(self) -> None:
        """Sell a part, not marked as only reducing, beside a stop over all of it."""
        self.send(OrderSide.SELL, "0.002")

    def do_cancel(self) -> None:
        """Cancel an entry."""
        self.cancel_order(next(order for order in self.working() if not order.is_reduce_only))

    def do_cancel_stop(self) -> None:
        """Cancel the stop."""
        self.cancel_order(next(order for order in self.working() if order.is_reduce_only))

    def do_shut_down(self) -> None:
        """Shut the whole system down."""
        self.shutdown_system("it was told to")

    def do_break_the_engine(self) -> None:
        """Let the next bar raise in the engine's own queue."""
        self.register_indicator_for_bars(self.config.bar_type, Broken())

    def working(self) -> list[Any]:
        """Return the working orders, the oldest first."""
        found = self.cache.orders_open(strategy_id=self.id)
        return sorted(found, key=lambda order: order.ts_init)
