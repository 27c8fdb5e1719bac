"""A strategy that does everything a trader can do, seeded: what the fold has to follow."""

from __future__ import annotations

import random
from datetime import timedelta
from decimal import Decimal
from typing import ClassVar

from nautilus_trader.config import StrategyConfig
from nautilus_trader.model.data import Bar, BarType
from nautilus_trader.model.enums import OrderSide, TimeInForce, TriggerType
from nautilus_trader.model.identifiers import InstrumentId
from nautilus_trader.model.orders import Order
from nautilus_trader.trading.strategy import Strategy


class DeskConfig(StrategyConfig, frozen=True):
    """What to trade, how much a lot is, and which of the strategy's `do_` methods it chooses from."""

    instrument_id: InstrumentId
    bar_type: BarType
    lot: Decimal
    actions: list[str]
    every: int = 3
    seed: int = 1
    leave_open: bool = False


class Desk(Strategy):
    """Every few bars one action of the menu, drawn from its own generator."""

    unrealized: ClassVar[dict[str, float]] = {}

    def __init__(self, config: DeskConfig) -> None:
        super().__init__(config)
        self.random = random.Random(config.seed)
        self.bars = 0

    def on_start(self) -> None:
        """Subscribe."""
        self.instrument = self.cache.instrument(self.config.instrument_id)
        self.subscribe_bars(self.config.bar_type)

    def on_bar(self, bar: Bar) -> None:
        """Act on every few bars."""
        self.bars += 1
        self.close = float(bar.close)
        if self.bars % self.config.every == 0:
            getattr(self, f"do_{self.random.choice(self.config.actions)}")()

    def on_stop(self) -> None:
        """Leave flat, or leave all as it is and say what it is worth."""
        if self.config.leave_open:
            profit = self.portfolio.unrealized_pnl(self.config.instrument_id)
            self.unrealized[str(self.config.instrument_id)] = 0.0 if profit is None else profit.as_double()
            return
        self.cancel_all_orders(self.config.instrument_id)
        self.close_all_positions(self.config.instrument_id)

    def lots(self, most: int = 3):
        """Return some lots."""
        return self.instrument.make_qty(self.config.lot * self.random.randint(1, most))

    def price(self, distance: float):
        """Return a price that far from the last close."""
        return self.instrument.make_price(self.close * (1 + distance))

    def side(self) -> OrderSide:
        """Return a side."""
        return self.random.choice([OrderSide.BUY, OrderSide.SELL])

    def away(self, side: OrderSide, distance: float):
        """Return a price at which an order of a side rests."""
        return self.price(-distance if side == OrderSide.BUY else distance)

    def working(self) -> Order | None:
        """Return one of the strategy's resting orders."""
        orders = self.cache.orders_open(strategy_id=self.id, instrument_id=self.config.instrument_id)
        orders = sorted(orders, key=lambda order: order.client_order_id.value)
        return self.random.choice(orders) if orders else None

    def market(self, side: OrderSide, quantity, position_id=None, **more) -> None:
        """Send a market order."""
        order = self.order_factory.market(self.config.instrument_id, side, quantity, **more)
        self.submit_order(order, position_id=position_id)

    def limit(self, side: OrderSide, quantity, price, **more) -> None:
        """Send a limit order."""
        order = self.order_factory.limit(self.config.instrument_id, side, quantity, price, **more)
        self.submit_order(order)

    def do_buy(self) -> None:
        """Buy at market: opens, adds, reduces or flips."""
        self.market(OrderSide.BUY, self.lots(), tags=["buy"])

    def do_sell(self) -> None:
        """Sell at market."""
        self.market(OrderSide.SELL, self.lots(), tags=["sell"])

    def do_close(self) -> None:
        """Close all positions."""
        self.close_all_positions(self.config.instrument_id)

    def do_reduce(self) -> None:
        """Close one lot of an open position, reduce-only."""
        for position in self.cache.positions_open(strategy_id=self.id)[:1]:
            side = OrderSide.SELL if position.is_long else OrderSide.BUY
            self.market(side, self.lots(1), position.id, reduce_only=True)

    def do_turn(self) -> None:
        """Flip an open position by one order under its own id."""
        for position in self.cache.positions_open(strategy_id=self.id)[:1]:
            side = OrderSide.SELL if position.is_long else OrderSide.BUY
            quantity = self.instrument.make_qty(position.quantity.as_decimal() * 2 + self.config.lot)
            self.market(side, quantity, position.id)

    def do_sell_held(self) -> None:
        """Sell what the strategy holds, on a CASH account."""
        for position in self.cache.positions_open(strategy_id=self.id)[:1]:
            self.market(OrderSide.SELL, position.quantity)

    def do_limit(self) -> None:
        """Rest a limit order close to the market: it fills as maker."""
        side = self.side()
        self.limit(side, self.lots(), self.away(side, 0.0004))

    def do_far(self) -> None:
        """Rest a limit order that never fills."""
        self.limit(OrderSide.BUY, self.lots(), self.price(-0.5))

    def do_expire(self) -> None:
        """Rest a limit order that expires in minutes."""
        until = self.clock.utc_now() + timedelta(minutes=4)
        self.limit(OrderSide.BUY, self.lots(), self.price(-0.4), time_in_force=TimeInForce.GTD, expire_time=until)

    def do_reject(self) -> None:
        """Send a post-only order that would take."""
        self.limit(OrderSide.BUY, self.lots(), self.price(0.01), post_only=True)

    def do_deny(self) -> None:
        """Send a quantity beyond the instrument's limit."""
        self.market(OrderSide.BUY, self.instrument.make_qty(self.config.lot * 1_000_000))

    def do_immediate(self) -> None:
        """Send immediate-or-cancel and fill-or-kill limits."""
        rule = self.random.choice([TimeInForce.IOC, TimeInForce.FOK])
        self.limit(self.side(), self.lots(), self.price(self.random.choice([-0.01, 0.01])), time_in_force=rule)

    def do_stop(self) -> None:
        """Rest a stop order close to the market."""
        side = self.side()
        trigger = self.away(side, -0.0005)
        order = self.order_factory.stop_market(self.config.instrument_id, side, self.lots(), trigger)
        self.submit_order(order)

    def do_stop_limit(self) -> None:
        """Rest a stop-limit order: triggered, and filled or not."""
        side = self.side()
        trigger = self.away(side, -0.0005)
        price = self.away(side, self.random.choice([-0.001, 0.0005]))
        order = self.order_factory.stop_limit(self.config.instrument_id, side, self.lots(), price, trigger)
        self.submit_order(order)

    def do_bracket(self) -> None:
        """Send an entry with stop-loss and target."""
        side = self.side()
        sign = 1 if side == OrderSide.BUY else -1
        self.submit_order_list(
            self.order_factory.bracket(
                self.config.instrument_id,
                side,
                self.lots(),
                sl_trigger_price=self.price(-0.001 * sign),
                tp_price=self.price(0.001 * sign),
            )
        )

    def do_emulate(self) -> None:
        """Send orders that the engine holds and releases itself."""
        side = self.side()
        self.limit(side, self.lots(), self.away(side, 0.0004), emulation_trigger=TriggerType.LAST_PRICE)

    def do_quote(self) -> None:
        """Buy for an amount of the quote currency."""
        value = float(self.config.lot) * float(self.instrument.multiplier) * self.close
        self.market(OrderSide.BUY, self.instrument.make_qty(round(value)), quote_quantity=True)

    def do_modify(self) -> None:
        """Change quantity and price of a resting limit order."""
        order = self.working()
        if order is not None and order.has_price and not order.has_trigger_price:
            self.modify_order(order, quantity=self.lots(), price=self.away(order.side, 0.0006))

    def do_cancel(self) -> None:
        """Cancel a resting order."""
        order = self.working()
        if order is not None:
            self.cancel_order(order)

    def do_repeat(self) -> None:
        """Cancel, then cancel and modify again at once: what is pending or gone is refused."""
        order = self.working()
        if order is not None:
            self.cancel_order(order)
            self.modify_order(order, quantity=self.lots())
            self.cancel_order(order)
