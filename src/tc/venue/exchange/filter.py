"""The filters every request passes before it is an order: known words, ticks, lots, notional, margin, ids."""

from __future__ import annotations

import re
from collections.abc import Collection
from decimal import Decimal

from tc.venue.exchange import refusal
from tc.venue.exchange.account import Account
from tc.venue.exchange.core import Core, bound_margin, initial_margin, margin_balance
from tc.venue.exchange.market import Market
from tc.venue.exchange.order import ALGO_TYPES, ORDER_TYPES, SIDES, TIMES_IN_FORCE, ZERO, AlgoRequest, OrderRequest
from tc.venue.exchange.refusal import Refusal
from tc.venue.exchange.symbol import Symbol, decimals, is_multiple

_CLIENT_ID = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}")
CALLBACK_RATE_MIN = Decimal("0.1")
CALLBACK_RATE_MAX = Decimal(10)


def judge_order(core: Core, account: Account, request: OrderRequest) -> Refusal | None:
    """Return why an order is refused, None where it is taken; reduce-only and post-only are judged later."""
    if request.kind in ALGO_TYPES:
        return refusal.STOP_ORDER_SWITCH_ALGO
    found = _judge_words(core, account, request, request.client_order_id, ORDER_TYPES)
    if found is not None:
        return found
    market = core.market(request.symbol)
    if request.kind == "LIMIT":
        found = judge_price(market.symbol, request.price)
    found = found or judge_quantity(market.symbol, request.quantity)
    if found is not None or request.reduce_only:
        return found
    return _judge_notional(market, request.quantity, request.price) or judge_margin(core, account, request)


def judge_algo(core: Core, account: Account, request: AlgoRequest) -> Refusal | None:
    """Return why a conditional order is refused, None where it is taken."""
    found = _judge_words(core, account, request, request.client_algo_id, ALGO_TYPES)
    if found is not None:
        return found
    market = core.market(request.symbol)
    if not request.close_position:
        found = judge_quantity(market.symbol, request.quantity)
    if request.kind == "TRAILING_STOP_MARKET":
        if not CALLBACK_RATE_MIN <= request.callback_rate <= CALLBACK_RATE_MAX:
            return refusal.missing("callbackRate")
        return found or (judge_price(market.symbol, request.activate_price) if request.activate_price else None)
    found = found or judge_price(market.symbol, request.trigger_price)
    if request.kind in ("STOP", "TAKE_PROFIT"):
        found = found or judge_price(market.symbol, request.price)
    if found is None and is_triggered(request, market.price):
        return refusal.WOULD_TRIGGER
    return found


def is_triggered(request: AlgoRequest, price: Decimal) -> bool:
    """Tell whether a stop or take-profit triggers at `price`; trailing stops are judged by their extreme."""
    is_stop = request.kind in ("STOP", "STOP_MARKET")
    if (request.side == "BUY") == is_stop:
        return price >= request.trigger_price
    return price <= request.trigger_price


def judge_price(symbol: Symbol, price: Decimal) -> Refusal | None:
    """Return why a price is refused."""
    if price <= 0:
        return refusal.BAD_PRICE
    if decimals(price) > symbol.price_precision and not is_multiple(price, symbol.tick):
        return refusal.BAD_PRECISION
    return None if is_multiple(price, symbol.tick) else refusal.OFF_TICK


def judge_quantity(symbol: Symbol, quantity: Decimal) -> Refusal | None:
    """Return why a quantity is refused."""
    if quantity <= 0:
        return refusal.QUANTITY_NOT_POSITIVE
    if decimals(quantity) > symbol.quantity_precision and not is_multiple(quantity, symbol.lot):
        return refusal.BAD_PRECISION
    if quantity < symbol.min_quantity:
        return refusal.QUANTITY_TOO_SMALL
    if quantity > symbol.max_quantity:
        return refusal.QUANTITY_TOO_LARGE
    return None if is_multiple(quantity, symbol.lot) else refusal.OFF_LOT


def judge_margin(core: Core, account: Account, request: OrderRequest) -> Refusal | None:
    """Refuse an order that would bind more margin than there is; one that binds no more than before is fine."""
    market = core.market(request.symbol)
    is_buy = request.side == "BUY"
    before = initial_margin(account, market)
    after = initial_margin(account, market, *((request.quantity, ZERO) if is_buy else (ZERO, request.quantity)))
    if after <= before:
        return None
    bound = bound_margin(account, core.state) - before + after
    return refusal.INSUFFICIENT_MARGIN if bound > margin_balance(account, core.state) else None


def _judge_words(
    core: Core, account: Account, request: OrderRequest | AlgoRequest, client_id: str, types: Collection[str]
) -> Refusal | None:
    if request.symbol not in core.state.markets:
        return refusal.BAD_SYMBOL
    if request.side not in SIDES:
        return refusal.BAD_SIDE
    if not _CLIENT_ID.fullmatch(client_id):
        return refusal.BAD_CLIENT_ID
    if account.knows(client_id):
        return refusal.DUPLICATE_CLIENT_ID
    if request.kind not in types:
        return refusal.BAD_TYPE
    if request.time_in_force not in TIMES_IN_FORCE:
        return refusal.BAD_TIME_IN_FORCE
    return None if core.market(request.symbol).is_open else refusal.DISCONNECTED


def _judge_notional(market: Market, quantity: Decimal, price: Decimal) -> Refusal | None:
    return refusal.NOTIONAL_TOO_SMALL if quantity * (price or market.price) < market.symbol.min_notional else None
