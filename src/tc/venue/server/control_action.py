"""What the control port can do to the market and to accounts: each one is a command to the exchange."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from tc.venue.exchange.exchange import Exchange
from tc.venue.exchange.order import Order
from tc.venue.exchange.refusal import Refusal
from tc.venue.exchange.symbol import is_multiple
from tc.venue.relay import Player
from tc.venue.server.call import Site
from tc.venue.server.control_input import Bad, Wishes
from tc.venue.server.order_route import find_order, read_order
from tc.venue.server.parameter import Parameters, Refused
from tc.venue.server.view import order_view

Result = dict[str, Any] | Refusal
Action = Callable[[Site, Player, Wishes], Result]


def _fill(site: Site, _feed: Player, wishes: Wishes) -> Result:
    account = wishes.choice("account", site.desk.state.accounts)
    order = _order(site, account, wishes.words(), ("quantity", "price"))
    if isinstance(order, Refusal):
        return order
    found, words = order
    quantity = Decimal(words["quantity"]) if "quantity" in words else found.remaining
    price = Decimal(words["price"]) if "price" in words else found.price or _market(site, found).price
    if quantity <= 0 or price <= 0:
        raise Bad("quantity and price must be above zero")
    done = site.desk.exchange.fill_order(found, quantity, price, site.desk.now_ms())
    return {"executed": format(done, "f"), "status": found.status}


def _manual_order(site: Site, _feed: Player, wishes: Wishes) -> Result:
    account = wishes.choice("account", site.desk.state.accounts)
    fallback = f"manual-{site.desk.state.last_order_id + 1}"
    try:
        request = read_order(Parameters(wishes.words()), fallback)
    except Refused as refused:
        return refused.refusal
    order = site.desk.exchange.submit(account, request, site.desk.now_ms())
    return order if isinstance(order, Refusal) else order_view(order, _market(site, order).symbol)


def _manual_cancel(site: Site, _feed: Player, wishes: Wishes) -> Result:
    account = wishes.choice("account", site.desk.state.accounts)
    order = _order(site, account, wishes.words(), ())
    if isinstance(order, Refusal):
        return order
    result = site.desk.exchange.cancel(order[0], site.desk.now_ms())
    return result if isinstance(result, Refusal) else order_view(result, _market(site, result).symbol)


def _price(site: Site, _feed: Player, wishes: Wishes) -> Result:
    name, price = wishes.choice("symbol", site.desk.state.markets), wishes.decimal("price")
    wishes.done()
    market = site.desk.state.markets[name]
    if price <= 0 or not is_multiple(price, market.symbol.tick):
        raise Bad(f"price was {price}, expected a multiple of the tick {market.symbol.tick}")
    is_down = price < market.price
    site.desk.exchange.trade(name, price, Decimal(0), site.desk.now_ms(), is_buyer_maker=is_down)
    return {"bid": format(market.bid, "f"), "ask": format(market.ask, "f")}


def _fund(site: Site, _feed: Player, wishes: Wishes) -> Result:
    name, rate = wishes.choice("symbol", site.desk.state.markets), wishes.decimal("rate")
    wishes.done()
    site.desk.exchange.fund(name, rate, site.desk.now_ms())
    return {"rate": format(rate, "f")}


def _transfer(site: Site, _feed: Player, wishes: Wishes) -> Result:
    account, amount = wishes.choice("account", site.desk.state.accounts), wishes.decimal("amount")
    wishes.done()
    site.desk.exchange.transfer(account, amount, site.desk.now_ms())
    return {"wallet": format(site.desk.state.accounts[account].wallet, "f")}


def _feed(_site: Site, feed: Player, wishes: Wishes) -> Result:
    feed.is_paused = wishes.flag("paused", default=feed.is_paused)
    wishes.done()
    return {"paused": feed.is_paused}


def _order(
    site: Site, account: str, words: dict[str, str], also: tuple[str, ...]
) -> tuple[Order, dict[str, str]] | Refusal:
    known = {"symbol", "orderId", "origClientOrderId", *also}
    if set(words) - known:
        raise Bad(f"{min(set(words) - known)!r} means nothing here; known are {', '.join(sorted(known))}")
    try:
        order = find_order(site.desk.state.accounts[account], Parameters(words))
        for name in also:
            if name in words:
                Parameters(words).decimal(name)
    except Refused as refused:
        return refused.refusal
    return Refusal(-2011, "Unknown order sent.") if order is None else (order, words)


def _market(site: Site, order: Order) -> Any:
    exchange: Exchange = site.desk.exchange
    return exchange.state.markets[order.terms.symbol]


ACTIONS: dict[str, Action] = {
    "fill": _fill,
    "order": _manual_order,
    "cancel": _manual_cancel,
    "price": _price,
    "fund": _fund,
    "transfer": _transfer,
    "feed": _feed,
}
