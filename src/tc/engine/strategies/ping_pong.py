"""A strategy that makes money for the exchange only: it shows every kind of order at work, over and over.

Its round: buy at the market, protect with a stop, rest a take-profit limit, move it, let it fill or take it back, close
what is left. It is the paper demo's and the drills' traffic, and nobody's advice.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from nautilus_trader.config import PositiveFloat, StrategyConfig
from nautilus_trader.model.data import Bar, BarType
from nautilus_trader.model.enums import OrderSide, TimeInForce
from nautilus_trader.model.identifiers import InstrumentId
from nautilus_trader.model.objects import Price
from nautilus_trader.trading.strategy import Strategy

STEPS = 6


class PingPongConfig(StrategyConfig, frozen=True):
    """What to trade, on which bars, how much, and how far away orders rest, as a fraction of the price."""

    instrument_id: InstrumentId
    bar_type: BarType
    trade_size: Decimal
    near: PositiveFloat = 0.0005
    far: PositiveFloat = 0.02


class PingPong(Strategy):
    """One step a bar: market entry, stop and limit exit, modify, a maker order, an immediate one, a clean end."""

    def __init__(self, config: PingPongConfig) -> None:
        super().__init__(config)
        self.step = 0

    def on_start(self) -> None:
        """Subscribe."""
        self.instrument = self.cache.instrument(self.config.instrument_id)
        self.subscribe_bars(self.config.bar_type)

    def on_bar(self, bar: Bar) -> None:
        """Take the next step of the round."""
        steps = (self._enter, self._protect, self._move, self._make, self._take, self._close)
        steps[self.step % STEPS](bar)
        self.step += 1

    def _enter(self, _bar: Bar) -> None:
        self.submit_order(self.order_factory.market(self.config.instrument_id, OrderSide.BUY, self._size()))

    def _protect(self, bar: Bar) -> None:
        if not self._position():
            return
        stop = self._price(bar, -self.config.far)
        target = self._price(bar, self.config.far)
        exits = {"reduce_only": True}
        self.submit_order(
            self.order_factory.stop_market(self.config.instrument_id, OrderSide.SELL, self._size(), stop, **exits)
        )
        self.submit_order(
            self.order_factory.limit(self.config.instrument_id, OrderSide.SELL, self._size(), target, **exits)
        )

    def _move(self, bar: Bar) -> None:
        for order in self.cache.orders_open(instrument_id=self.config.instrument_id, strategy_id=self.id):
            if order.has_price and order.is_reduce_only and not order.is_pending_update:
                self.modify_order(order, price=self._price(bar, self.config.far / 2))

    def _make(self, bar: Bar) -> None:
        price = self._price(bar, -self.config.near)
        self.submit_order(
            self.order_factory.limit(self.config.instrument_id, OrderSide.BUY, self._size(), price, post_only=True)
        )

    def _take(self, bar: Bar) -> None:
        price = self._price(bar, self.config.near)
        self.submit_order(
            self.order_factory.limit(
                self.config.instrument_id, OrderSide.BUY, self._size(), price, time_in_force=TimeInForce.IOC
            )
        )

    def _close(self, _bar: Bar) -> None:
        self.cancel_all_orders(self.config.instrument_id)
        self.close_all_positions(self.config.instrument_id)

    def on_stop(self) -> None:
        """Leave the end to the run: `safety.on_stop` says what becomes of orders and position."""

    def _position(self) -> list[Any]:
        found = self.cache.positions_open(instrument_id=self.config.instrument_id, strategy_id=self.id)
        return list(found)

    def _size(self) -> Any:
        return self.instrument.make_qty(self.config.trade_size)

    def _price(self, bar: Bar, offset: float) -> Price:
        return self.instrument.make_price(float(bar.close) * (1 + offset))
