"""A strategy that holds a position with a stop, and floods its venue with orders that rest and are canceled."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from nautilus_trader.config import StrategyConfig
from nautilus_trader.model.data import BarType
from nautilus_trader.model.enums import OrderSide
from nautilus_trader.model.identifiers import InstrumentId
from nautilus_trader.trading.strategy import Strategy

BURST = 40


class FloodConfig(StrategyConfig, frozen=True):
    """What to trade, and whether to flood."""

    instrument_id: InstrumentId
    bar_type: BarType
    trade_size: Decimal
    floods: bool = True


class Flood(Strategy):
    """Buys once and protects it; then, at every bar, cancels the burst of the bar before and sends another."""

    def __init__(self, config: FloodConfig) -> None:
        super().__init__(config)
        self.n = 0

    def on_start(self) -> None:
        """Subscribe."""
        self.subscribe_bars(self.config.bar_type)

    def on_bar(self, bar: Any) -> None:
        """Trade, then flood."""
        self.n += 1
        factory, instrument = self.order_factory, self.cache.instrument(self.config.instrument_id)
        if self.n == 1 and not self.cache.orders():
            quantity = instrument.make_qty(self.config.trade_size)
            self.submit_order(factory.market(instrument.id, OrderSide.BUY, quantity))
        if self.n == 3:
            trigger = instrument.make_price(float(bar.close) * 0.7)
            quantity = instrument.make_qty(self.config.trade_size)
            self.submit_order(factory.stop_market(instrument.id, OrderSide.SELL, quantity, trigger, reduce_only=True))
        if self.n > 8 and self.config.floods:
            self.flood(instrument, float(bar.close) * 0.96)

    def flood(self, instrument: Any, close: float) -> None:
        """Cancel the last burst and send the next."""
        for order in self.cache.orders_open(strategy_id=self.id):
            if not order.is_reduce_only:
                self.cancel_order(order)
        for _ in range(BURST):
            price, quantity = instrument.make_price(close), instrument.make_qty("0.001")
            self.submit_order(self.order_factory.limit(instrument.id, OrderSide.BUY, quantity, price))
