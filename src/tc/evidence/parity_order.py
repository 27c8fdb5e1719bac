"""The orders of a run as two runs of one strategy can be compared: by the bar that they were decided on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

from tc.durable import Entry

ZERO = Decimal(0)
_ENDS = {
    "OrderDenied": "DENIED", "OrderRejected": "REJECTED", "OrderCanceled": "CANCELED", "OrderExpired": "EXPIRED",
}  # fmt: skip
_TERMS = ("order_side", "order_type", "quantity", "price", "trigger_price", "time_in_force", "reduce_only")


class Key(NamedTuple):
    """Which order: the strategy's id in the spec, the instrument, the close of its bar in UNIX ns, its number in it."""

    strategy: str
    instrument_id: str
    bar_ts: int
    number: int


class PartFill(NamedTuple):
    """One fill of an order; `fee` is in the account's currency."""

    price: Decimal
    quantity: Decimal
    fee: Decimal


@dataclass(slots=True)
class ParityOrder:
    """An order with what it asked for and what became of it."""

    client_order_id: str
    terms: tuple[str, ...]
    status: str = "WORKING"
    reason: str = ""
    fills: list[PartFill] = field(default_factory=list)

    @property
    def sign(self) -> int:
        """1 for BUY, -1 for SELL."""
        return 1 if self.terms[0] == "BUY" else -1

    @property
    def filled(self) -> Decimal:
        """The quantity that was filled."""
        return sum((fill.quantity for fill in self.fills), ZERO)

    @property
    def price(self) -> Decimal | None:
        """The average price of its fills, None without any."""
        filled = self.filled
        return sum((fill.price * fill.quantity for fill in self.fills), ZERO) / filled if filled else None

    @property
    def cash(self) -> Decimal:
        """What its fills brought in, fees taken off; negative where they cost."""
        return sum((-self.sign * fill.price * fill.quantity - fill.fee for fill in self.fills), ZERO)

    def facts(self) -> tuple[Any, ...]:
        """Return everything that must be equal for two orders to match."""
        return (*self.terms, self.status, self.filled, self.price, sum((fill.fee for fill in self.fills), ZERO))

    def describe(self) -> dict[str, Any]:
        """Return the order for a report."""
        price = self.price
        return {
            "client_order_id": self.client_order_id,
            **{name: text for name, text in zip(_TERMS, self.terms, strict=True) if text},
            "status": self.status,
            "filled": format(self.filled, "f"),
            "average_price": None if price is None else format(price, "f"),
            "fee": format(sum((fill.fee for fill in self.fills), ZERO), "f"),
            "reason": self.reason,
        }


def read_orders(entries: Iterable[Entry], bar_of: Callable[[dict[str, Any]], int | None]) -> dict[Key, ParityOrder]:
    """Return a journal's orders of its strategies.

    `bar_of` tells from an OrderInitialized on which bar it was decided; None leaves the order out.
    """
    names: dict[str, str] = {}
    orders: dict[str, ParityOrder] = {}
    keys: dict[Key, ParityOrder] = {}
    counts: dict[tuple[str, str, int], int] = {}
    for entry in entries:
        if entry.type == "StrategyLoaded":
            said = entry.payload()
            names[said["strategy_id"]] = said["id"]
        elif entry.type == "OrderInitialized":
            said = entry.payload()
            place = bar_of(said)
            if place is None or said["strategy_id"] not in names or said["client_order_id"] in orders:
                continue
            spot = (names[said["strategy_id"]], said["instrument_id"], place)
            counts[spot] = counts.get(spot, 0) + 1
            order = ParityOrder(said["client_order_id"], terms_of(said))
            orders[order.client_order_id] = keys[Key(*spot, counts[spot])] = order
        elif entry.type in _ENDS or entry.type == "OrderFilled":
            said = json.loads(entry.data)
            if said["client_order_id"] in orders:
                _apply(orders[said["client_order_id"]], entry.type, said)
    return keys


def terms_of(said: dict[str, Any]) -> tuple[str, ...]:
    """Return what an OrderInitialized asks for, as texts; an empty one is not given."""
    options = {**(said.get("options") or {}), **said}
    return tuple("" if options.get(name) in (None, False) else str(options[name]) for name in _TERMS)


def _apply(order: ParityOrder, kind: str, said: dict[str, Any]) -> None:
    if kind == "OrderFilled":
        fee = Decimal(str(said["commission"]).split(" ")[0])
        order.fills.append(PartFill(Decimal(said["last_px"]), Decimal(said["last_qty"]), fee))
        order.status = "FILLED" if order.filled >= Decimal(order.terms[2]) else "PARTIALLY_FILLED"
    else:
        order.status, order.reason = _ENDS[kind], str(said.get("reason") or "")
