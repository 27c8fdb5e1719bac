"""Traffic for kills, in drills and tests: a crowd of resting orders, a stop, and one order on its way each bar."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from nautilus_trader.config import StrategyConfig
from nautilus_trader.model.data import Bar, BarType
from nautilus_trader.model.enums import OrderSide, OrderType, TimeInForce, TriggerType
from nautilus_trader.model.identifiers import InstrumentId
from nautilus_trader.trading.strategy import Strategy

_LOTS_MAX = 20


class CrowdConfig(StrategyConfig, frozen=True):
    """How many orders of which size rest on which bars."""

    instrument_id: InstrumentId
    bar_type: BarType
    trade_size: Decimal
    resting: int = 17


class Crowd(Strategy):
    """Buys on one bar and sells half of it on the next, among resting bids, behind a stop."""

    def on_start(self) -> None:
        """Subscribe."""
        self.bars = 0
        self.subscribe_bars(self.config.bar_type)

    def on_bar(self, bar: Bar) -> None:
        """Top up what rests, keep a stop, and send one order that is filled at once."""
        self.bars += 1
        instrument = self.cache.instrument(self.config.instrument_id)
        scope = {"strategy_id": self.id, "instrument_id": self.config.instrument_id}
        working = [*self.cache.orders_open(**scope), *self.cache.orders_inflight(**scope)]
        lot = instrument.make_qty(self.config.trade_size)
        resting = sum(order.order_type == OrderType.LIMIT for order in working)
        for number in range(min(3, self.config.resting - resting)):
            price = instrument.make_price(float(bar.close) * (0.985 - number / 1_000))
            self.submit_order(self.order_factory.limit(self.config.instrument_id, OrderSide.BUY, lot, price))
        held = self.portfolio.net_position(self.config.instrument_id)
        if held > 0 and not any(order.order_type == OrderType.STOP_MARKET for order in working):
            self._protect(instrument, lot, bar)
        is_sale = self.bars % 2 == 0 and held > lot
        side, size = (OrderSide.SELL, lot) if is_sale else (OrderSide.BUY, instrument.make_qty(lot * 2))
        if abs(held) < self.config.trade_size * _LOTS_MAX or is_sale:
            self.submit_order(self.order_factory.market(self.config.instrument_id, side, size))

    def _protect(self, instrument: Any, lot: Any, bar: Bar) -> None:
        price = instrument.make_price(float(bar.close) * 0.9)
        self.submit_order(
            self.order_factory.stop_market(
                self.config.instrument_id, OrderSide.SELL, lot, price, TriggerType.LAST_PRICE,
                time_in_force=TimeInForce.GTC, reduce_only=True,
            )
        )  # fmt: skip

    def on_stop(self) -> None:
        """Leave the end to the run: `safety.on_stop` says what becomes of orders and position."""
