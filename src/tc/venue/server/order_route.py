"""The endpoints that trade: submit, modify, cancel, query, conditional orders, the dead-man's countdown."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from tc.venue.exchange import refusal
from tc.venue.exchange.account import Account
from tc.venue.exchange.order import ALGO_TYPES, ORDER_TYPES, ZERO, AlgoOrder, AlgoRequest, Order, OrderRequest
from tc.venue.exchange.refusal import Refusal
from tc.venue.server.account_route import LIST_DEFAULT, LIST_MAX
from tc.venue.server.call import Call, Route, Routes, answer, checked
from tc.venue.server.parameter import Parameters, Refused
from tc.venue.server.view import algo_view, order_view

BATCH_MAX = 10
_DONE = {"code": 200, "msg": "The operation of cancel all open order is done."}
_NO_PRICE_MATCH = Refusal(-1130, "Data sent for parameter 'priceMatch' is not valid.")


def read_order(parameters: Parameters, fallback_id: str) -> OrderRequest:
    """Return the order that parameters ask for; raise Refused where they ask for none."""
    kind = parameters.text("type")
    if kind in ORDER_TYPES:
        _require_plain(parameters)
    elif kind not in ALGO_TYPES:
        raise Refused(refusal.BAD_TYPE)
    is_limit = kind == "LIMIT"
    time_in_force = parameters.text("timeInForce") if is_limit else "GTC"
    return OrderRequest(
        symbol=parameters.text("symbol"),
        client_order_id=parameters.text("newClientOrderId", fallback_id),
        side=parameters.text("side"),
        kind=kind,
        quantity=parameters.decimal("quantity"),
        price=parameters.decimal("price") if is_limit else ZERO,
        time_in_force=time_in_force,
        reduce_only=parameters.flag("reduceOnly"),
        good_till_ms=parameters.whole("goodTillDate") if time_in_force == "GTD" else 0,
    )


def find_order(account: Account, parameters: Parameters) -> Order | None:
    """Return the order that orderId or origClientOrderId names, in the given symbol."""
    if not parameters.has("orderId") and not parameters.has("origClientOrderId"):
        raise Refused(refusal.missing("orderId"))
    order = account.orders.get(parameters.whole("orderId", 0))
    if order is None and parameters.has("origClientOrderId"):
        order = account.orders.get(account.order_ids.get(parameters.text("origClientOrderId"), 0))
    return order if order is not None and order.terms.symbol == parameters.text("symbol") else None


def _submit(call: Call) -> Any:
    rejected = call.site.faults.reject(reduce_only=call.parameters.flag("reduceOnly"))
    if rejected is not None:
        return rejected
    request = read_order(call.parameters, f"auto-{call.state.last_order_id + 1}")
    order = checked(call.exchange.submit(call.name, request, call.now_ms))
    return _view(call, order)


def _submit_test(call: Call) -> Any:
    read_order(call.parameters, "test")
    return {}


def _amend(call: Call) -> Any:
    order = find_order(call.account, call.parameters)
    if order is None or order.terms.side != call.parameters.text("side", order.terms.side):
        return refusal.UNKNOWN_ORDER
    quantity, price = call.parameters.decimal("quantity"), call.parameters.decimal("price")
    return _view(call, checked(call.exchange.amend(call.name, order, quantity, price, call.now_ms)))


def _query(call: Call) -> Any:
    call.market()
    order = find_order(call.account, call.parameters)
    return refusal.NO_SUCH_ORDER if order is None else _view(call, order)


def _query_open(call: Call) -> Any:
    order = find_order(call.account, call.parameters)
    return _view(call, order) if order is not None and order.is_open else refusal.NO_SUCH_ORDER


def _cancel(call: Call) -> Any:
    order = find_order(call.account, call.parameters)
    if order is None:
        return refusal.UNKNOWN_ORDER
    return _view(call, checked(call.exchange.cancel(order, call.now_ms)))


def _cancel_all(call: Call) -> Any:
    call.exchange.cancel_all(call.name, call.market().symbol.name, call.now_ms)
    return _DONE


def _cancel_batch(call: Call) -> Any:
    symbol = call.market().symbol.name
    names = ("orderIdList", "orderId"), ("origClientOrderIdList", "origClientOrderId")
    given = next(((one, name) for one, name in names if call.parameters.has(one)), None)
    if given is None:
        return refusal.missing("orderIdList")
    singles = [{"symbol": symbol, given[1]: str(value)} for value in _list(call, given[0])]
    return [_each(_cancel, call, single) for single in singles]


def _submit_batch(call: Call) -> Any:
    orders = [one for one in _list(call, "batchOrders") if isinstance(one, dict)]
    return [_each(_submit, call, {str(key): str(value) for key, value in one.items()}) for one in orders]


def _open_orders(call: Call) -> Any:
    market = call.market_if_named()
    symbols = [market.symbol.name] if market else list(call.account.open_orders)
    return [_view(call, order) for symbol in symbols for order in call.account.working(symbol)]


def _all_orders(call: Call) -> Any:
    symbol = call.market().symbol.name
    orders = [one for one in call.account.orders.values() if one.terms.symbol == symbol]
    start, end = call.parameters.whole("startTime", 0), call.parameters.whole("endTime", 1 << 60)
    first = call.parameters.whole("orderId", 0)
    chosen = [one for one in orders if start <= one.created_ms <= end and one.terms.order_id >= first]
    limit = min(max(call.parameters.whole("limit", LIST_DEFAULT), 1), LIST_MAX)
    chosen = chosen[:limit] if first or call.parameters.has("startTime") else chosen[-limit:]
    return [_view(call, one) for one in chosen]


def _countdown(call: Call) -> Any:
    symbol, countdown_ms = call.market().symbol.name, call.parameters.whole("countdownTime")
    if countdown_ms < 0:
        return refusal.missing("countdownTime")
    call.exchange.set_countdown(call.name, symbol, countdown_ms, call.now_ms)
    return {"symbol": symbol, "countdownTime": str(countdown_ms)}


def _place_algo(call: Call) -> Any:
    rejected = call.site.faults.reject(reduce_only=False)
    if rejected is not None:
        return rejected
    parameters = call.parameters
    if parameters.text("algoType", "CONDITIONAL") != "CONDITIONAL":
        return refusal.missing("algoType")
    _require_plain(parameters)
    kind, is_closing = parameters.text("type"), parameters.flag("closePosition")
    if kind not in ALGO_TYPES:
        return refusal.BAD_TYPE
    is_trailing, is_limit = kind == "TRAILING_STOP_MARKET", kind in ("STOP", "TAKE_PROFIT")
    request = AlgoRequest(
        symbol=parameters.text("symbol"),
        client_algo_id=parameters.text("clientAlgoId", f"auto-{call.state.last_order_id + 1}"),
        side=parameters.text("side"),
        kind=kind,
        quantity=ZERO if is_closing else parameters.decimal("quantity"),
        trigger_price=ZERO if is_trailing else parameters.decimal("triggerPrice"),
        price=parameters.decimal("price") if is_limit else ZERO,
        time_in_force=parameters.text("timeInForce", "GTC"),
        reduce_only=parameters.flag("reduceOnly"),
        close_position=is_closing,
        activate_price=parameters.decimal("activatePrice", ZERO) if is_trailing else ZERO,
        callback_rate=parameters.decimal("callbackRate") if is_trailing else Decimal(0),
        working_type=parameters.text("workingType", "CONTRACT_PRICE"),
    )
    return _view_algo(call, checked(call.exchange.place_algo(call.name, request, call.now_ms)))


def _find_algo(call: Call) -> AlgoOrder | None:
    account, parameters = call.account, call.parameters
    algo_id = parameters.whole("algoId", 0)
    if not algo_id:
        algo_id = account.algo_ids.get(parameters.text("clientAlgoId"), 0)
    found = account.algos.get(algo_id)
    if found is None and parameters.has("clientAlgoId"):
        found = account.algos.get(account.algo_ids.get(parameters.text("clientAlgoId"), 0))
    return found


def _query_algo(call: Call) -> Any:
    algo = _find_algo(call)
    return refusal.NO_SUCH_ORDER if algo is None else _view_algo(call, algo)


def _cancel_algo(call: Call) -> Any:
    algo = _find_algo(call)
    if algo is None:
        return refusal.UNKNOWN_ORDER
    checked(call.exchange.cancel_algo(algo, call.now_ms))
    names = {"algoId": algo.terms.algo_id, "clientAlgoId": algo.terms.request.client_algo_id}
    return {**names, "code": "200", "msg": "success"}


def _cancel_all_algos(call: Call) -> Any:
    call.exchange.cancel_all_algos(call.name, call.market().symbol.name, call.now_ms)
    return _DONE


def _open_algos(call: Call) -> Any:
    market = call.market_if_named()
    symbols = [market.symbol.name] if market else list(call.account.open_algos)
    return [_view_algo(call, algo) for symbol in symbols for algo in call.account.waiting(symbol)]


def _all_algos(call: Call) -> Any:
    symbol = call.market().symbol.name
    algos = [one for one in call.account.algos.values() if one.terms.request.symbol == symbol]
    start, end = call.parameters.whole("startTime", 0), call.parameters.whole("endTime", 1 << 60)
    limit = min(max(call.parameters.whole("limit", LIST_DEFAULT), 1), LIST_MAX)
    return [_view_algo(call, one) for one in algos if start <= one.created_ms <= end][-limit:]


def _require_plain(parameters: Parameters) -> None:
    if parameters.text("positionSide", "BOTH") != "BOTH":
        raise Refused(refusal.BAD_POSITION_SIDE)
    if parameters.text("priceMatch", "NONE") != "NONE":
        raise Refused(_NO_PRICE_MATCH)


def _each(handler: Any, call: Call, values: dict[str, str]) -> Any:
    single = Call(call.site, call.owner, Parameters(values), call.now_ms)
    result = answer(Route(handler, "signed", 0), single)
    return {"code": result.code, "msg": result.message} if isinstance(result, Refusal) else result


def _list(call: Call, name: str) -> list[Any]:
    try:
        values = json.loads(call.parameters.text(name))
    except ValueError:
        values = None
    if not isinstance(values, list) or not 1 <= len(values) <= BATCH_MAX:
        raise Refused(refusal.missing(name))
    return values


def _view(call: Call, order: Order) -> dict[str, Any]:
    return order_view(order, call.state.markets[order.terms.symbol].symbol)


def _view_algo(call: Call, algo: AlgoOrder) -> dict[str, Any]:
    return algo_view(algo, call.state.markets[algo.terms.request.symbol].symbol)


ORDER_ROUTES: Routes = {
    ("POST", "/fapi/v1/order"): Route(_submit, "signed", 0, 1),
    ("POST", "/fapi/v1/order/test"): Route(_submit_test, "signed", 0, 1),
    ("PUT", "/fapi/v1/order"): Route(_amend, "signed", 1, 1),
    ("GET", "/fapi/v1/order"): Route(_query, "signed", 1),
    ("DELETE", "/fapi/v1/order"): Route(_cancel, "signed", 1),
    ("GET", "/fapi/v1/openOrder"): Route(_query_open, "signed", 1),
    ("GET", "/fapi/v1/openOrders"): Route(_open_orders, "signed", 1),
    ("GET", "/fapi/v1/allOrders"): Route(_all_orders, "signed", 5),
    ("DELETE", "/fapi/v1/allOpenOrders"): Route(_cancel_all, "signed", 1),
    ("POST", "/fapi/v1/batchOrders"): Route(_submit_batch, "signed", 5, 5),
    ("DELETE", "/fapi/v1/batchOrders"): Route(_cancel_batch, "signed", 1),
    ("POST", "/fapi/v1/countdownCancelAll"): Route(_countdown, "signed", 10),
    ("POST", "/fapi/v1/algoOrder"): Route(_place_algo, "signed", 0, 1),
    ("GET", "/fapi/v1/algoOrder"): Route(_query_algo, "signed", 1),
    ("DELETE", "/fapi/v1/algoOrder"): Route(_cancel_algo, "signed", 1),
    ("GET", "/fapi/v1/openAlgoOrders"): Route(_open_algos, "signed", 1),
    ("GET", "/fapi/v1/allAlgoOrders"): Route(_all_algos, "signed", 5),
    ("DELETE", "/fapi/v1/algoOpenOrders"): Route(_cancel_all_algos, "signed", 1),
}
