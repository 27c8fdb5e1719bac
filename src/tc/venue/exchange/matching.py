"""Executes orders: takers against the levels of the book, resting orders against the trades that reach them."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import ROUND_HALF_EVEN, Decimal

from tc.venue.exchange.account import MONEY, Account, settle
from tc.venue.exchange.core import Core
from tc.venue.exchange.event import AlgoClosed, OrderClosed, OrderFilled
from tc.venue.exchange.market import PPM, Market
from tc.venue.exchange.order import ZERO, Order
from tc.venue.exchange.symbol import floor_to


def take(core: Core, order: Order, ts: int) -> None:
    """Execute an arriving order as far as the book goes; what may not rest expires."""
    market = core.market(order.terms.symbol)
    limit = order.price if order.terms.kind == "LIMIT" else ZERO
    crosses = not limit or market.would_take(order.terms.side, limit)
    if order.terms.time_in_force == "GTX" and crosses:
        close(core, order, "EXPIRED", ts)
        return
    if order.terms.time_in_force == "FOK" and not can_fill(market, order.terms.side, limit, order.remaining):
        close(core, order, "EXPIRED", ts)
        return
    if crosses:
        for price, size in market.levels(order.terms.side):
            if not order.is_open or (limit and (price > limit if order.terms.side == "BUY" else price < limit)):
                break
            _take_level(core, order, price, size, ts)
    may_rest = order.terms.kind == "LIMIT" and order.terms.time_in_force not in ("IOC", "FOK")
    if order.is_open and not may_rest:
        close(core, order, "EXPIRED", ts)


def can_fill(market: Market, side: str, limit: Decimal, quantity: Decimal) -> bool:
    """Tell whether a taker would get `quantity` whole up to `limit` (0: at any price)."""
    available = market.available(side, limit)
    if limit and not market.would_take(side, limit):
        return False
    return available is None or available >= quantity


def meet(core: Core, order: Order, ts: int) -> None:
    """Execute a resting order against the trade that just happened, as maker at its own price."""
    market = core.market(order.terms.symbol)
    if market.would_take(order.terms.side, order.price):
        fill(core, order, order.price, order.remaining, is_maker=True, ts=ts)
        return
    is_touched = order.price == market.price and market.is_buyer_maker == (order.terms.side == "BUY")
    key = (order.terms.order_id, market.trade_id)
    if not is_touched or not core.rules.happens(core.rules.fill_at_touch, "touch", *key):
        return
    quantity = min(order.remaining, market.size) if market.size else order.remaining
    if core.rules.happens(core.rules.partial_fill, "rest", *key):
        quantity = _part(core, order, quantity, "rest", *key)
    if quantity:
        fill(core, order, order.price, quantity, is_maker=True, ts=ts)


def fill(core: Core, order: Order, price: Decimal, quantity: Decimal, *, is_maker: bool, ts: int) -> Decimal:
    """Execute up to `quantity` at `price` and return what was executed; reduce-only never goes through flat."""
    account = core.state.accounts[order.account]
    quantity = min(quantity, order.remaining)
    if order.terms.reduce_only:
        quantity = min(quantity, closable(account, order))
    if quantity <= 0:
        if order.terms.reduce_only:
            close(core, order, "EXPIRED", ts)
        return ZERO
    core.emit(_filled(core, account, order, price, quantity, is_maker=is_maker, ts=ts))
    _finish_algo(core, order, ts)
    expire_idle_reducers(core, account, order.terms.symbol, ts)
    return quantity


def close(core: Core, order: Order, status: str, ts: int) -> None:
    """End an open order without filling it up."""
    core.emit(OrderClosed(ts, order.account, order.terms.order_id, status))
    _finish_algo(core, order, ts)


def closable(account: Account, order: Order) -> Decimal:
    """Return how much an order on this side can reduce the position."""
    return closable_by(account, order.terms.symbol, order.terms.sign)


def closable_by(account: Account, symbol: str, sign: int) -> Decimal:
    """Return how much orders of this sign can reduce the position."""
    return max(ZERO, -sign * account.position(symbol).quantity)


def expire_idle_reducers(core: Core, account: Account, symbol: str, ts: int) -> None:
    """Expire the reduce-only orders that have nothing left to reduce."""
    for order in account.working(symbol):
        if order.terms.reduce_only and order.is_open and not closable(account, order):
            close(core, order, "EXPIRED", ts)


def _take_level(core: Core, order: Order, price: Decimal, size: Decimal | None, ts: int) -> None:
    left = order.remaining if size is None else min(order.remaining, size)
    for part in _parts(core, order, left):
        if order.is_open:
            fill(core, order, price, part, is_maker=False, ts=ts)


def _parts(core: Core, order: Order, quantity: Decimal) -> Iterator[Decimal]:
    key = (order.terms.order_id, order.executed)
    if core.rules.happens(core.rules.partial_fill, "take", *key):
        first = _part(core, order, quantity, "take", *key)
        if ZERO < first < quantity:
            yield first
            quantity -= first
    yield quantity


def _part(core: Core, order: Order, quantity: Decimal, *key: object) -> Decimal:
    lot = core.market(order.terms.symbol).symbol.lot
    return floor_to(quantity * core.rules.draw("part", *key) / PPM, lot)


def _filled(
    core: Core, account: Account, order: Order, price: Decimal, quantity: Decimal, *, is_maker: bool, ts: int
) -> OrderFilled:
    terms, symbol = order.terms, core.market(order.terms.symbol).symbol
    position, cost, realized = settle(account.position(terms.symbol), terms.sign, price, quantity)
    rate = symbol.maker_fee if is_maker else symbol.taker_fee
    fee = (price * quantity * rate).quantize(MONEY, ROUND_HALF_EVEN)
    executed = order.executed + quantity
    return OrderFilled(
        ts=ts,
        account=account.name,
        order_id=terms.order_id,
        trade_id=core.state.last_trade_id + 1,
        symbol=terms.symbol,
        side=terms.side,
        price=price,
        quantity=quantity,
        is_maker=is_maker,
        fee=fee,
        realized=realized,
        executed=executed,
        cum_quote=order.cum_quote + price * quantity,
        status="FILLED" if executed >= order.quantity else "PARTIALLY_FILLED",
        position=position,
        cost=cost,
        wallet=account.wallet + realized - fee,
    )


def _finish_algo(core: Core, order: Order, ts: int) -> None:
    if order.is_open or not order.terms.algo_id:
        return
    average = order.cum_quote / order.executed if order.executed else ZERO
    average = average.quantize(core.market(order.terms.symbol).symbol.tick)
    core.emit(AlgoClosed(ts, order.account, order.terms.algo_id, "FINISHED", average, order.executed))
