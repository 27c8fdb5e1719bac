"""Conditional orders: followed from trade to trade, and turned into orders when their price comes."""

from __future__ import annotations

from decimal import Decimal

from tc.venue.exchange.account import Account
from tc.venue.exchange.core import Core
from tc.venue.exchange.event import AlgoClosed, AlgoTrailed, AlgoTriggered, OrderAccepted
from tc.venue.exchange.filter import is_triggered, judge_margin
from tc.venue.exchange.matching import closable_by
from tc.venue.exchange.order import ZERO, AlgoOrder, OrderRequest, OrderTerms

_HUNDRED = Decimal(100)


def follow(core: Core, algo: AlgoOrder, ts: int) -> None:
    """Let a waiting conditional order see the trade that just happened."""
    request = algo.terms.request
    price = core.market(request.symbol).price
    if request.kind == "TRAILING_STOP_MARKET":
        _trail(core, algo, price, ts)
        is_due = algo.is_active and _has_turned(algo, price)
    else:
        is_due = is_triggered(request, price)
    if is_due:
        _trigger(core, algo, ts)


def starts_active(algo_side: str, activate_price: Decimal, price: Decimal) -> bool:
    """Tell whether a trailing stop is active from the start: without activation price, or past it."""
    if not activate_price:
        return True
    return price <= activate_price if algo_side == "BUY" else price >= activate_price


def _trail(core: Core, algo: AlgoOrder, price: Decimal, ts: int) -> None:
    request = algo.terms.request
    if not algo.is_active:
        if starts_active(request.side, request.activate_price, price):
            core.emit(AlgoTrailed(ts, algo.account, algo.terms.algo_id, price))
        return
    is_better = price < algo.extreme if request.side == "BUY" else price > algo.extreme
    if is_better:
        core.emit(AlgoTrailed(ts, algo.account, algo.terms.algo_id, price))


def _has_turned(algo: AlgoOrder, price: Decimal) -> bool:
    step = algo.terms.sign * algo.terms.request.callback_rate / _HUNDRED
    turn = algo.extreme * (1 + step)
    return price >= turn if algo.terms.sign > 0 else price <= turn


def _trigger(core: Core, algo: AlgoOrder, ts: int) -> None:
    request, account = algo.terms.request, core.state.accounts[algo.account]
    is_reducing = request.reduce_only or request.close_position
    quantity = _quantity(account, algo)
    limit = request.price if request.kind in ("STOP", "TAKE_PROFIT") else ZERO
    kind = "LIMIT" if limit else "MARKET"
    status = ""
    if is_reducing and not quantity:
        status = "EXPIRED"
    elif not is_reducing:
        order = OrderRequest(request.symbol, request.client_algo_id, request.side, kind, quantity, limit)
        status = "REJECTED" if judge_margin(core, account, order) is not None else ""
    if status:
        core.emit(AlgoClosed(ts, algo.account, algo.terms.algo_id, status, ZERO, ZERO))
        return
    order_id = core.next_order_id()
    terms = OrderTerms(
        order_id=order_id,
        client_order_id=request.client_algo_id,
        symbol=request.symbol,
        side=request.side,
        kind=kind,
        time_in_force=request.time_in_force if kind == "LIMIT" else "GTC",
        reduce_only=is_reducing,
        good_till_ms=0,
        algo_id=algo.terms.algo_id,
    )
    core.emit(AlgoTriggered(ts, algo.account, algo.terms.algo_id, order_id))
    core.emit(OrderAccepted(ts, algo.account, terms, quantity, limit, ts))


def _quantity(account: Account, algo: AlgoOrder) -> Decimal:
    request = algo.terms.request
    if not (request.reduce_only or request.close_position):
        return request.quantity
    available = closable_by(account, request.symbol, algo.terms.sign)
    return available if request.close_position else min(request.quantity, available)
