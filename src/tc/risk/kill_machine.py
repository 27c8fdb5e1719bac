"""What a kill does next, from what the venue says now: pure, so that it can be asked about everything.

It cancels until nothing of the account's own works any more, then closes one net position at a time with an order that
can only reduce, and looks again. What it cannot close without touching somebody else's is left and named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

ZERO = Decimal(0)
PREFIX = "KILL-"
"""Of the client order id of every order that a kill sends."""


@dataclass(frozen=True, slots=True)
class WorkingOrder:
    """An order that works at the venue."""

    symbol: str
    client_order_id: str
    is_algo: bool
    is_own: bool
    is_reducing: bool = False


@dataclass(frozen=True, slots=True)
class Books:
    """What the venue says: net positions, what of them is the run's own, and working orders."""

    net: Mapping[str, Decimal]
    own: Mapping[str, Decimal]
    orders: Sequence[WorkingOrder]


@dataclass(frozen=True, slots=True)
class Cancel:
    """Cancel one order."""

    order: WorkingOrder


@dataclass(frozen=True, slots=True)
class Close:
    """Send one order that reduces; `quantity` is above zero."""

    symbol: str
    side: str
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class Flat:
    """Nothing is left to do; `foreign` is what was left because it is somebody else's, in words."""

    foreign: tuple[str, ...] = field(default=())


Step = Cancel | Close | Flat


def next_steps(books: Books, maximum: Mapping[str, Decimal], *, include_foreign: bool) -> list[Step]:
    """Return what to do now: all cancels at once, else one close a symbol, else `Flat`.

    `maximum` is the largest quantity of an order, by symbol. With `include_foreign` all of the account is closed.
    """
    cancels = [Cancel(order) for order in books.orders if order.is_own or include_foreign]
    if cancels:
        return list(cancels)
    closes = [
        Close(symbol, "SELL" if net > 0 else "BUY", min(size, maximum.get(symbol, size)))
        for symbol, net in sorted(books.net.items())
        if (size := _closable(net, net if include_foreign else books.own.get(symbol, ZERO)))
    ]
    if closes:
        return list(closes)
    return [Flat(tuple(_left(books)))]


def _closable(net: Decimal, wanted: Decimal) -> Decimal:
    """Return how much of `wanted` an order that only reduces the net position can close."""
    return min(abs(net), abs(wanted)) if net * wanted > 0 else ZERO


def _left(books: Books) -> list[str]:
    found = [f"{net} {symbol}" for symbol, net in sorted(books.net.items()) if net]
    return found + [f"order {order.client_order_id} in {order.symbol}" for order in books.orders]
