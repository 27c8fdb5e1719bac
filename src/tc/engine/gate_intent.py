"""From the engine's orders and commands to intents: what a strategy asks for, in exact numbers."""

from __future__ import annotations

from decimal import ROUND_UP, Decimal
from typing import Any

from nautilus_trader.execution.messages import ModifyOrder
from nautilus_trader.model.enums import OrderSide, OrderType, order_type_to_str

from tc.risk.intent import Intent, Side
from tc.risk.market import Quote, is_usable
from tc.store.ledger_number import TEXT_LENGTH_MAX

NAN = Decimal("NaN")
_FINEST = Decimal("1e-8")
_TYPES: dict[Any, str] = {kind: order_type_to_str(kind) for kind in OrderType}
STOPS = {OrderType.STOP_MARKET, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP_MARKET, OrderType.TRAILING_STOP_LIMIT}


def side_text(side: Any) -> Side:
    """Return a side as the ledger writes it."""
    return "BUY" if side == OrderSide.BUY else "SELL"


def type_text(order: Any) -> str:
    """Return an order's type by NautilusTrader's name."""
    return _TYPES[order.order_type]


def price_of_order(order: Any) -> Decimal | None:
    """Return the limit price, else the trigger price, else None: a market order."""
    price = order.price if order.has_price else order.trigger_price if order.has_trigger_price else None
    return None if price is None else price.as_decimal()


def base_quantity(order: Any, quantity: Any, quote: Quote | None) -> Decimal:
    """Return a quantity in base units; NaN where it is in quote currency and there is no usable reference."""
    number: Decimal = quantity.as_decimal()
    if not order.is_quote_quantity:
        return number
    reference = None if quote is None else quote.reference
    if reference is None or not is_usable(reference):
        return NAN
    price = price_of_order(order)
    cheaper = reference if price is None or price > reference else price  # which buys more
    return (number / cheaper).quantize(_FINEST, rounding=ROUND_UP)


def submit_intent(
    order: Any, ts: int, stop: Decimal | None, quote: Quote | None, *, reduces: bool | None, is_message: bool
) -> Intent:
    """Return what a new order asks for; `stop` protects what it opens."""
    quantity = (
        order.quantity.as_decimal() if not order.is_quote_quantity else base_quantity(order, order.quantity, quote)
    )
    return Intent(
        order.client_order_id.value, "submit", order.instrument_id.value, order.strategy_id.value,
        side_text(order.side), quantity, price_of_order(order), _TYPES[order.order_type],
        order.is_reduce_only, stop, None, ts, reduces, is_message,
    )  # fmt: skip


def again_intent(
    order: Any, command_id: str, ts: int, stop: Decimal | None, quote: Quote | None, *, reduces: bool | None
) -> Intent:
    """Return what an order that was let through before asks for now: what is left of it, in place of itself."""
    quantity = base_quantity(order, order.leaves_qty, quote)
    return Intent(
        command_id, "modify", order.instrument_id.value, order.strategy_id.value, side_text(order.side), quantity,
        price_of_order(order), _TYPES[order.order_type], order.is_reduce_only, stop,
        order.client_order_id.value, ts, reduces,
    )  # fmt: skip


def modify_intent(
    command: ModifyOrder, order: Any, ts: int, stop: Decimal | None, quote: Quote | None, *, reduces: bool | None
) -> Intent:
    """Return what an order would ask for once modified: its new open quantity at its new price."""
    quantity = order.quantity if command.quantity is None else command.quantity
    left = base_quantity(order, quantity, quote) - (order.filled_qty.as_decimal() if order.filled_qty else 0)
    price = command.price if order.has_price else command.trigger_price
    return Intent(
        command.id.value, "modify", order.instrument_id.value, order.strategy_id.value, side_text(order.side),
        left, price_of_order(order) if price is None else price.as_decimal(), _TYPES[order.order_type],
        order.is_reduce_only, stop, order.client_order_id.value, ts, reduces,
    )  # fmt: skip


def protection(order: Any, siblings: list[Any]) -> tuple[Decimal | None, Decimal | None]:
    """Return the stop and the target among the orders that the given one brings with it."""
    stop = target = None
    for other in siblings:
        if other.side == order.side or other.parent_order_id != order.client_order_id:
            continue
        if other.quantity < order.quantity:
            continue  # it does not close all of it
        price = other.trigger_price if other.has_trigger_price else other.price if other.has_price else None
        if price is not None and other.order_type in STOPS:
            stop = price.as_decimal()
        elif price is not None:
            target = price.as_decimal()
    return stop, target


def row_words(tags: list[str] | None) -> dict[str, str]:
    """Return what an order's tags say of the row that it opens.

    `setup:...`, `grade:...` and `notes:...` fill those fields; without a setup all other tags together are it.
    """
    words: dict[str, str] = {}
    others = []
    for tag in tags or ():
        key, colon, text = tag.partition(":")
        if colon and key in ("setup", "grade", "notes"):
            words[key] = _printable(text)
        else:
            others.append(tag)
    if others and "setup" not in words:
        words["setup"] = _printable(",".join(others))
    return words


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text).strip()[:TEXT_LENGTH_MAX]
