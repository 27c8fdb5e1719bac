"""Events as messages of the user stream. An account update comes before the trade that caused it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from tc.venue.exchange.event import (
    AlgoAccepted,
    AlgoClosed,
    AlgoTriggered,
    Event,
    LeverageSet,
    OrderAccepted,
    OrderAmended,
    OrderClosed,
    OrderFilled,
    WalletChanged,
)
from tc.venue.exchange.export import text
from tc.venue.exchange.order import AlgoOrder, Order
from tc.venue.exchange.state import State
from tc.venue.exchange.symbol import ASSET, Symbol

Message = dict[str, Any]
_ZERO = Decimal(0)


def user_messages(events: list[Event], state: State) -> Iterator[tuple[str, Message]]:
    """Yield account and message of every event that an account hears of, in order.

    `state` is the one after all of `events`; what was true in between is taken from the events themselves.
    """
    for event in events:
        make = _MAKERS.get(type(event))
        if make is not None:
            for message in make(event, state):
                yield event.account, message  # type: ignore[union-attr]  # every maker's event has an account


def listen_key_expired(key: str, now_ms: int) -> Message:
    """Return the message that a listen key is no longer good."""
    return {"e": "listenKeyExpired", "E": now_ms, "listenKey": key}


def _order_update(event: Any, order: Order, symbol: Symbol, kind: str, status: str, **changed: Any) -> Message:
    terms = order.terms
    body = {
        "s": terms.symbol,
        "c": terms.client_order_id,
        "S": terms.side,
        "o": terms.kind,
        "f": terms.time_in_force,
        "q": symbol.quantity_text(order.quantity),
        "p": symbol.price_text(order.price),
        "ap": symbol.price_text(_ZERO),
        "sp": "0",
        "x": kind,
        "X": status,
        "i": terms.order_id,
        "l": symbol.quantity_text(_ZERO),
        "z": symbol.quantity_text(_ZERO),
        "L": "0",
        "T": event.ts,
        "t": 0,
        "b": "0",
        "a": "0",
        "m": False,
        "R": terms.reduce_only,
        "wt": "CONTRACT_PRICE",
        "ot": terms.kind,
        "ps": "BOTH",
        "cp": False,
        "rp": "0",
        "pP": False,
        "si": 0,
        "ss": 0,
        "V": "NONE",
        "pm": "NONE",
        "gtd": terms.good_till_ms,
    }
    return {"e": "ORDER_TRADE_UPDATE", "E": event.ts, "T": event.ts, "o": body | changed}


def _so_far(symbol: Symbol, executed: Decimal, quote: Decimal) -> dict[str, Any]:
    average = quote / executed if executed else _ZERO
    return {"z": symbol.quantity_text(executed), "ap": symbol.price_text(average)}


def _accepted(event: OrderAccepted, state: State) -> Iterator[Message]:
    order, symbol = _order(event, event.terms.order_id, state)
    sent = {"q": symbol.quantity_text(event.quantity), "p": symbol.price_text(event.price)}
    yield _order_update(event, order, symbol, "NEW", "NEW", **sent)


def _amended(event: OrderAmended, state: State) -> Iterator[Message]:
    order, symbol = _order(event, event.order_id, state)
    yield _order_update(
        event,
        order,
        symbol,
        "AMENDMENT",
        "PARTIALLY_FILLED" if event.executed else "NEW",
        q=symbol.quantity_text(event.quantity),
        p=symbol.price_text(event.price),
        **_so_far(symbol, event.executed, event.cum_quote),
    )


def _closed(event: OrderClosed, state: State) -> Iterator[Message]:
    order, symbol = _order(event, event.order_id, state)
    so_far = _so_far(symbol, order.executed, order.cum_quote)  # it has ended: nothing came after
    yield _order_update(event, order, symbol, event.status, event.status, **so_far)


def _filled(event: OrderFilled, state: State) -> Iterator[Message]:
    order, symbol = _order(event, event.order_id, state)
    entry = (event.cost / event.position) if event.position else _ZERO
    position = {
        "s": event.symbol,
        "pa": symbol.quantity_text(event.position),
        "ep": f"{entry:.8f}",
        "cr": "0",
        "up": text(event.position * event.price - event.cost),
        "mt": "cross",
        "iw": "0",
        "ps": "BOTH",
    }
    yield _account_update(event, "ORDER", event.wallet, _ZERO, [position])
    yield _order_update(
        event,
        order,
        symbol,
        "TRADE",
        event.status,
        l=symbol.quantity_text(event.quantity),
        L=symbol.price_text(event.price),
        N=ASSET,
        n=text(event.fee),
        t=event.trade_id,
        m=event.is_maker,
        rp=text(event.realized),
        **_so_far(symbol, event.executed, event.cum_quote),
    )


def _wallet(event: WalletChanged, _state: State) -> Iterator[Message]:
    reason = "FUNDING_FEE" if event.kind == "FUNDING_FEE" else "DEPOSIT" if event.amount > 0 else "WITHDRAW"
    yield _account_update(event, reason, event.wallet, event.amount, [])


def _account_update(event: Any, reason: str, wallet: Decimal, change: Decimal, positions: list[Message]) -> Message:
    balance = {"a": ASSET, "wb": text(wallet), "cw": text(wallet), "bc": text(change)}
    return {"e": "ACCOUNT_UPDATE", "E": event.ts, "T": event.ts, "a": {"m": reason, "B": [balance], "P": positions}}


def _leverage(event: LeverageSet, _state: State) -> Iterator[Message]:
    body = {"s": event.symbol, "l": event.leverage}
    yield {"e": "ACCOUNT_CONFIG_UPDATE", "E": event.ts, "T": event.ts, "ac": body}


def _algo_accepted(event: AlgoAccepted, state: State) -> Iterator[Message]:
    yield _algo_update(event, state.accounts[event.account].algos[event.terms.algo_id], state, "NEW")


def _algo_triggered(event: AlgoTriggered, state: State) -> Iterator[Message]:
    algo = state.accounts[event.account].algos[event.algo_id]
    yield _algo_update(event, algo, state, "TRIGGERING")
    yield _algo_update(event, algo, state, "TRIGGERED", ai=str(event.order_id), tt=event.ts)


def _algo_closed(event: AlgoClosed, state: State) -> Iterator[Message]:
    algo = state.accounts[event.account].algos[event.algo_id]
    if event.status != "FINISHED":
        yield _algo_update(event, algo, state, event.status)
        return
    symbol = state.markets[algo.terms.request.symbol].symbol
    sent = {"ap": symbol.price_text(event.average), "aq": symbol.quantity_text(event.executed)}
    yield _algo_update(event, algo, state, "FINISHED", ai=str(algo.order_id), tt=event.ts, **sent)


def _algo_update(event: Any, algo: AlgoOrder, state: State, status: str, **changed: Any) -> Message:
    request = algo.terms.request
    symbol = state.markets[request.symbol].symbol
    body = {
        "caid": request.client_algo_id,
        "aid": algo.terms.algo_id,
        "at": "CONDITIONAL",
        "o": request.kind,
        "s": request.symbol,
        "S": request.side,
        "ps": "BOTH",
        "f": request.time_in_force,
        "q": symbol.quantity_text(request.quantity),
        "X": status,
        "tp": symbol.price_text(request.trigger_price),
        "p": symbol.price_text(request.price),
        "wt": request.working_type,
        "pm": "NONE",
        "cp": request.close_position,
        "pP": False,
        "R": request.reduce_only,
        "tt": 0,
        "gtd": 0,
    }
    if request.callback_rate:
        body["cr"] = text(request.callback_rate)
    return {"e": "ALGO_UPDATE", "E": event.ts, "T": event.ts, "o": body | changed}


def _order(event: Any, order_id: int, state: State) -> tuple[Order, Symbol]:
    order = state.accounts[event.account].orders[order_id]
    return order, state.markets[order.terms.symbol].symbol


_MAKERS: dict[type[Any], Callable[[Any, State], Iterator[Message]]] = {
    OrderAccepted: _accepted,
    OrderAmended: _amended,
    OrderClosed: _closed,
    OrderFilled: _filled,
    WalletChanged: _wallet,
    LeverageSet: _leverage,
    AlgoAccepted: _algo_accepted,
    AlgoTriggered: _algo_triggered,
    AlgoClosed: _algo_closed,
}
