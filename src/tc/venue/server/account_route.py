"""The endpoints about an account: wallet, positions, history, income, settings, listen keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tc.venue.exchange import refusal
from tc.venue.exchange.export import text
from tc.venue.exchange.refusal import Refusal
from tc.venue.exchange.symbol import ASSET
from tc.venue.server.call import Call, Route, Routes
from tc.venue.server.view import account_view, income_view, position_views, symbol_config_view, trade_view

LIST_DEFAULT = 500
LIST_MAX = 1_000
_FOREVER_MS = 1 << 60
_NO_NEED = Refusal(-4059, "No need to change position side.")
_NO_MARGIN_NEED = Refusal(-4046, "No need to change margin type.")


def _account(call: Call) -> Any:
    assert call.owner is not None
    return account_view(call.account, call.state, can_withdraw=call.owner.can_withdraw)


def _balance(call: Call) -> Any:
    view = _account(call)["assets"][0]
    names = {"walletBalance": "balance", "crossUnPnl": "crossUnPnl", "crossWalletBalance": "crossWalletBalance"}
    balances = {new: view[old] for old, new in names.items()}
    return [{"accountAlias": call.name, "asset": ASSET, **balances, "availableBalance": view["availableBalance"]}]


def _positions(call: Call) -> Any:
    market = call.market_if_named()
    return position_views(call.account, call.state, market.symbol.name if market else None)


def _symbol_config(call: Call) -> Any:
    market = call.market_if_named()
    markets = [market] if market else list(call.state.markets.values())
    return [symbol_config_view(call.account, one.symbol) for one in markets]


def _commission(call: Call) -> Any:
    symbol = call.market().symbol
    rates = {"makerCommissionRate": text(symbol.maker_fee), "takerCommissionRate": text(symbol.taker_fee)}
    return {"symbol": symbol.name, **rates}


def _dual(_call: Call) -> Any:
    return {"dualSidePosition": False}


def _set_dual(call: Call) -> Any:
    return refusal.BAD_POSITION_SIDE if call.parameters.flag("dualSidePosition") else _NO_NEED


def _set_margin_type(call: Call) -> Any:
    kind = call.parameters.text("marginType")
    return _NO_MARGIN_NEED if kind in ("CROSSED", "CROSS") else Refusal(-4167, "Only cross margin is offered here.")


def _set_leverage(call: Call) -> Any:
    market, leverage = call.market(), call.parameters.whole("leverage")
    found = call.exchange.set_leverage(call.name, market.symbol.name, leverage, call.now_ms)
    return found or {"leverage": leverage, "maxNotionalValue": "1000000000", "symbol": market.symbol.name}


def _trades(call: Call) -> Any:
    market = call.market()
    trades = [one for one in call.account.trades if one.symbol == market.symbol.name]
    if call.parameters.has("orderId"):
        order_id = call.parameters.whole("orderId")
        trades = [one for one in trades if one.order_id == order_id]
    if call.parameters.has("fromId"):
        first = call.parameters.whole("fromId")
        trades = [one for one in trades if one.trade_id >= first]
        return [trade_view(one, market.symbol) for one in trades[: _limit(call)]]
    return [trade_view(one, market.symbol) for one in _window(call, trades, [one.ts for one in trades])]


def _income(call: Call) -> Any:
    incomes = call.account.incomes
    market = call.market_if_named()
    if market:
        incomes = [one for one in incomes if one.symbol == market.symbol.name]
    if call.parameters.has("incomeType"):
        kind = call.parameters.text("incomeType")
        incomes = [one for one in incomes if one.kind == kind]
    page = max(call.parameters.whole("page", 1), 1)
    limit = min(call.parameters.whole("limit", 100), LIST_MAX)
    chosen = _within(call, incomes, [one.ts for one in incomes])
    return [income_view(one) for one in chosen[(page - 1) * limit : page * limit]]


def _listen_key(call: Call) -> Any:
    return {"listenKey": call.site.hub.open_key(call.name, call.now_ms)}


def _keep_listen_key(call: Call) -> Any:
    hub = call.site.hub
    if not any(entry.account == call.name for entry in hub.listen_keys.values()):
        return refusal.NO_SUCH_LISTEN_KEY
    return {"listenKey": hub.open_key(call.name, call.now_ms)}


def _close_listen_key(call: Call) -> Any:
    call.site.hub.close_key(call.name)
    return {}


def _limit(call: Call) -> int:
    return min(max(call.parameters.whole("limit", LIST_DEFAULT), 1), LIST_MAX)


def _within[T](call: Call, items: Sequence[T], times: Sequence[int]) -> list[T]:
    start, end = call.parameters.whole("startTime", 0), call.parameters.whole("endTime", _FOREVER_MS)
    return [item for item, ts in zip(items, times, strict=True) if start <= ts <= end]


def _window[T](call: Call, items: Sequence[T], times: Sequence[int]) -> list[T]:
    chosen = _within(call, items, times)
    # From a start time on, the oldest; without one, the newest.
    return chosen[: _limit(call)] if call.parameters.has("startTime") else chosen[-_limit(call) :]


ACCOUNT_ROUTES: Routes = {
    ("GET", "/fapi/v2/account"): Route(_account, "signed", 5),
    ("GET", "/fapi/v3/account"): Route(_account, "signed", 5),
    ("GET", "/fapi/v2/balance"): Route(_balance, "signed", 5),
    ("GET", "/fapi/v3/balance"): Route(_balance, "signed", 5),
    ("GET", "/fapi/v2/positionRisk"): Route(_positions, "signed", 5),
    ("GET", "/fapi/v3/positionRisk"): Route(_positions, "signed", 5),
    ("GET", "/fapi/v1/symbolConfig"): Route(_symbol_config, "signed", 5),
    ("GET", "/fapi/v1/commissionRate"): Route(_commission, "signed", 20),
    ("GET", "/fapi/v1/positionSide/dual"): Route(_dual, "signed", 30),
    ("POST", "/fapi/v1/positionSide/dual"): Route(_set_dual, "signed", 1),
    ("POST", "/fapi/v1/marginType"): Route(_set_margin_type, "signed", 1),
    ("POST", "/fapi/v1/leverage"): Route(_set_leverage, "signed", 1),
    ("GET", "/fapi/v1/userTrades"): Route(_trades, "signed", 5),
    ("GET", "/fapi/v1/income"): Route(_income, "signed", 30),
    ("POST", "/fapi/v1/listenKey"): Route(_listen_key, "key", 1),
    ("PUT", "/fapi/v1/listenKey"): Route(_keep_listen_key, "key", 1),
    ("DELETE", "/fapi/v1/listenKey"): Route(_close_listen_key, "key", 1),
}
