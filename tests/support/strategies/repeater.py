"""Strategies that send what they are told, on every bar or at given bars: what the gate does with it is the test's."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar

from nautilus_trader.config import StrategyConfig
from nautilus_trader.model.data import Bar, BarType
from nautilus_trader.model.enums import OrderSide, TimeInForce
from nautilus_trader.model.events import OrderDenied, OrderFilled
from nautilus_trader.model.identifiers import InstrumentId
from nautilus_trader.trading.strategy import Strategy


class RepeaterConfig(StrategyConfig, frozen=True):
    """`orders` gives by bar number what to send: [side, quantity, price or ""]; `*` is every bar."""

    instrument_id: InstrumentId
    bar_type: BarType
    orders: dict[str, list[list[str]]]
    modify: dict[str, list[str]]
    tags: list[str]


class Repeater(Strategy):
    """Sends its list; `seen` is every denial and fill in order, `bars` how many bars it saw."""

    seen: ClassVar[list[tuple[int, str, str]]] = []
    at_bar: ClassVar[dict[int, Any]] = {}

    def __init__(self, config: RepeaterConfig) -> None:
        super().__init__(config)
        self.bars = 0
        self.sent: list[Any] = []

    def on_start(self) -> None:
        """Subscribe."""
        self.instrument = self.cache.instrument(self.config.instrument_id)
        self.subscribe_bars(self.config.bar_type)

    def on_bar(self, bar: Bar) -> None:
        """Do what the list says for this bar."""
        self.bars += 1
        self.close = bar.close.as_decimal()
        act = type(self).at_bar.get(self.bars)
        if act is not None:
            act(self)
        for each in (*self.config.orders.get("*", ()), *self.config.orders.get(str(self.bars), ())):
            self.send(*each)
        change = self.config.modify.get(str(self.bars))
        if change:
            quantity, price = change
            self.modify_order(
                self.sent[-1],
                quantity=self.instrument.make_qty(Decimal(quantity)) if quantity else None,
                price=self.price_of(price) if price else None,
            )

    def price_of(self, text: str) -> Any:
        """Return a price; `*0.9` is relative to the last close."""
        price = self.close * Decimal(text[1:]) if text.startswith("*") else Decimal(text)
        return self.instrument.make_price(price)

    def send(self, side: str, quantity: str, price: str = "", flag: str = "") -> None:
        """Send a market order, or a limit order where there is a price."""
        common = {
            "instrument_id": self.config.instrument_id,
            "order_side": OrderSide[side],
            "quantity": self.instrument.make_qty(Decimal(quantity)),
            "reduce_only": flag == "reduce",
            "tags": list(self.config.tags) or None,
        }
        if price:
            order = self.order_factory.limit(price=self.price_of(price), time_in_force=TimeInForce.GTC, **common)
        else:
            order = self.order_factory.market(**common)
        self.sent.append(order)
        self.submit_order(order)

    def on_order_denied(self, event: OrderDenied) -> None:
        """Keep the code."""
        self.seen.append((self.bars, "denied", event.reason.partition(":")[0]))

    def on_order_modify_rejected(self, event: Any) -> None:
        """Keep the code."""
        self.seen.append((self.bars, "rejected", event.reason.partition(":")[0]))

    def on_order_filled(self, event: OrderFilled) -> None:
        """Keep the fill."""
        self.seen.append((self.bars, "filled", str(event.last_qty)))
