"""Inputs and decisions as they are written to `inputs.jsonl`, and back: data, events and commands as plain values."""

from __future__ import annotations

from typing import Any

import msgspec
from nautilus_trader.adapters.binance.common import types as binance
from nautilus_trader.execution.messages import (
    BatchCancelOrders,
    CancelAllOrders,
    CancelOrder,
    ModifyOrder,
    SubmitOrder,
    SubmitOrderList,
)
from nautilus_trader.model import data, events, instruments

_encode = msgspec.json.Encoder(enc_hook=str).encode
_NAMED_ANEW = ("event_id", "ts_init", "init_id")  # drawn or read anew in every process, and no part of a decision


def encode(body: dict[str, Any]) -> bytes:
    """Return a body as it is written."""
    return _encode(body)


def data_body(item: Any) -> dict[str, Any] | None:
    """Return a market data item with the name of its class, or None for what is not the engine's or the adapter's."""
    kind = type(item)
    if _data_class(kind.__name__) is not kind:
        return None
    return {"class": kind.__name__, "item": kind.to_dict(item)}


def data_of(body: dict[str, Any]) -> Any:
    """Return the item that `data_body` described."""
    kind = _data_class(body["class"])
    if kind is None:
        raise ValueError(f"inputs.jsonl names data of class {body['class']}, which this version does not know")
    return kind.from_dict(body["item"])


def _data_class(name: str) -> Any:
    for module in (data, instruments, binance):
        found = getattr(module, name, None)
        if found is not None and hasattr(found, "from_dict"):
            return found
    return None


def event_body(event: Any) -> dict[str, Any]:
    """Return an order or account event."""
    return {"event": type(event).to_dict(event)}


def event_of(body: dict[str, Any]) -> Any:
    """Return the event that `event_body` described."""
    return getattr(events, body["event"]["type"]).from_dict(body["event"])


def decision_body(command: Any) -> dict[str, Any] | None:
    """Return what a command decides: strategy, order, side, quantity, type and prices; None for a mere question."""
    kind = type(command)
    body = {"command": kind.__name__, "strategy_id": command.strategy_id.value}
    if kind is SubmitOrder:
        return body | {"orders": [order_body(command.order)]}
    if kind is SubmitOrderList:
        return body | {"orders": [order_body(order) for order in command.order_list.orders]}
    if kind is ModifyOrder:
        terms = {name: _text(getattr(command, name)) for name in ("quantity", "price", "trigger_price")}
        return body | {"client_order_id": command.client_order_id.value, **terms}
    if kind is CancelOrder:
        return body | {"client_order_id": command.client_order_id.value}
    if kind is CancelAllOrders:
        return body | {"instrument_id": command.instrument_id.value, "side": int(command.order_side)}
    if kind is BatchCancelOrders:
        return body | {"client_order_ids": sorted(each.client_order_id.value for each in command.cancels)}
    return None


def order_body(order: Any) -> dict[str, Any]:
    """Return an order as it was made, without what every process draws anew."""
    made = type(order.init_event).to_dict(order.init_event)
    return {name: value for name, value in made.items() if name not in _NAMED_ANEW}


def orders_of(command: Any) -> list[Any]:
    """Return the orders that a command submits."""
    if type(command) is SubmitOrder:
        return [command.order]
    return list(command.order_list.orders) if type(command) is SubmitOrderList else []


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
