"""Donchian channel breakout with resting orders: stop entries, then a protective stop and a limit target."""

from __future__ import annotations

from decimal import Decimal

from nautilus_trader.config import PositiveFloat, PositiveInt, StrategyConfig
from nautilus_trader.indicators import AverageTrueRange, DonchianChannel
from nautilus_trader.model.data import Bar, BarType
from nautilus_trader.model.enums import OrderSide, TimeInForce
from nautilus_trader.model.events import OrderFilled, PositionClosed
from nautilus_trader.model.identifiers import ClientOrderId, InstrumentId
from nautilus_trader.model.objects import Price
from nautilus_trader.trading.strategy import Strategy


class ChannelBreakoutConfig(StrategyConfig, frozen=True):
    """What to trade, the channel in bars, and the distances of stop and target in average true ranges."""

    instrument_id: InstrumentId
    bar_type: BarType
    trade_size: Decimal
    channel_period: PositiveInt = 60
    atr_period: PositiveInt = 30
    stop_atr: PositiveFloat = 2.0
    target_atr: PositiveFloat = 4.0


class ChannelBreakout(Strategy):
    """A stop order rests above and below the channel; whichever fills gets a stop-loss and a take-profit limit."""

    def __init__(self, config: ChannelBreakoutConfig) -> None:
        super().__init__(config)
        self.channel = DonchianChannel(config.channel_period)
        self.atr = AverageTrueRange(config.atr_period)
        self.entries: dict[ClientOrderId, OrderSide] = {}

    def on_start(self) -> None:
        """Subscribe; nothing rests before channel and range are warm."""
        self.instrument = self.cache.instrument(self.config.instrument_id)
        self.register_indicator_for_bars(self.config.bar_type, self.channel)
        self.register_indicator_for_bars(self.config.bar_type, self.atr)
        self.subscribe_bars(self.config.bar_type)

    def on_bar(self, bar: Bar) -> None:
        """Keep one stop entry at each edge of the channel while flat; working exits are left alone."""
        if not self.indicators_initialized() or self.cache.positions_open_count(strategy_id=self.id):
            return
        tick = float(self.instrument.price_increment)
        self._rest(OrderSide.BUY, self.instrument.make_price(max(self.channel.upper, float(bar.high)) + tick))
        self._rest(OrderSide.SELL, self.instrument.make_price(min(self.channel.lower, float(bar.low)) - tick))

    def _rest(self, side: OrderSide, trigger: Price) -> None:
        for client_order_id in [one for one, resting in self.entries.items() if resting == side]:
            order = self.cache.order(client_order_id)
            if not order.is_closed:
                if order.trigger_price == trigger:
                    return
                self.cancel_order(order)
            del self.entries[client_order_id]
        quantity = self.instrument.make_qty(self.config.trade_size)
        entry = self.order_factory.stop_market(self.config.instrument_id, side, quantity, trigger, tags=["entry"])
        self.entries[entry.client_order_id] = side
        self.submit_order(entry)

    def on_order_filled(self, event: OrderFilled) -> None:
        """Protect a filled entry at once."""
        if event.client_order_id not in self.entries:
            return
        self.entries.clear()
        self.cancel_all_orders(self.config.instrument_id)
        direction = 1 if event.order_side == OrderSide.BUY else -1
        exit_side = OrderSide.SELL if direction == 1 else OrderSide.BUY
        price, reach = float(event.last_px), self.atr.value
        stop = self.instrument.make_price(price - direction * self.config.stop_atr * reach)
        target = self.instrument.make_price(price + direction * self.config.target_atr * reach)
        self.submit_order(
            self.order_factory.stop_market(
                self.config.instrument_id, exit_side, event.last_qty, stop, reduce_only=True, tags=["stop"]
            )
        )
        self.submit_order(
            self.order_factory.limit(
                self.config.instrument_id,
                exit_side,
                event.last_qty,
                target,
                time_in_force=TimeInForce.GTC,
                reduce_only=True,
                tags=["target"],
            )
        )

    def on_position_closed(self, _event: PositionClosed) -> None:
        """The exit that did not fill has nothing left to protect."""
        self.cancel_all_orders(self.config.instrument_id)

    def on_stop(self) -> None:
        """Leave nothing behind."""
        self.cancel_all_orders(self.config.instrument_id)
        self.close_all_positions(self.config.instrument_id)
