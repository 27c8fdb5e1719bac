"""Exponential moving average cross: always in the market, long above, short below."""

from __future__ import annotations

from decimal import Decimal

from nautilus_trader.config import PositiveInt, StrategyConfig
from nautilus_trader.indicators import ExponentialMovingAverage
from nautilus_trader.model.data import Bar, BarType
from nautilus_trader.model.enums import OrderSide
from nautilus_trader.model.identifiers import InstrumentId
from nautilus_trader.trading.strategy import Strategy


class EMACrossConfig(StrategyConfig, frozen=True):
    """What to trade, on which bars, how much, and the two periods in bars."""

    instrument_id: InstrumentId
    bar_type: BarType
    trade_size: Decimal
    fast_ema_period: PositiveInt = 10
    slow_ema_period: PositiveInt = 20
    close_positions_on_stop: bool = True


class EMACross(Strategy):
    """Market orders on each cross; its own position decides, so that a neighbor on the instrument does not matter."""

    def __init__(self, config: EMACrossConfig) -> None:
        if config.fast_ema_period >= config.slow_ema_period:
            raise ValueError(
                f"fast_ema_period {config.fast_ema_period} must be below slow_ema_period {config.slow_ema_period}"
            )
        super().__init__(config)
        self.fast = ExponentialMovingAverage(config.fast_ema_period)
        self.slow = ExponentialMovingAverage(config.slow_ema_period)

    def on_start(self) -> None:
        """Subscribe; the averages warm up on live bars."""
        self.instrument = self.cache.instrument(self.config.instrument_id)
        self.register_indicator_for_bars(self.config.bar_type, self.fast)
        self.register_indicator_for_bars(self.config.bar_type, self.slow)
        self.subscribe_bars(self.config.bar_type)

    def on_bar(self, bar: Bar) -> None:
        """Turn around when the averages have crossed."""
        if not self.indicators_initialized() or bar.is_single_price():
            return
        wanted = OrderSide.BUY if self.fast.value >= self.slow.value else OrderSide.SELL
        positions = self.cache.positions_open(instrument_id=self.config.instrument_id, strategy_id=self.id)
        for position in positions:
            if position.entry == wanted:
                return
            self.close_position(position)
        self.submit_order(
            self.order_factory.market(
                self.config.instrument_id, wanted, self.instrument.make_qty(self.config.trade_size)
            )
        )

    def on_stop(self) -> None:
        """Leave nothing behind unless told to."""
        self.cancel_all_orders(self.config.instrument_id)
        if self.config.close_positions_on_stop:
            self.close_all_positions(self.config.instrument_id)

    def on_reset(self) -> None:
        """Forget the averages."""
        self.fast.reset()
        self.slow.reset()
