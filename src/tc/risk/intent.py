"""What a strategy asks for, as the checks see it: one command for one order."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

Side = Literal["BUY", "SELL"]
IntentKind = Literal["submit", "modify", "cancel"]


@dataclass(frozen=True, slots=True)
class Intent:
    """One command before it leaves.

    `quantity` is positive; for a modify it is the new open quantity. `price` is the limit price, else the trigger
    price, else None (a market order). `order_type` is NautilusTrader's name (`MARKET`, `LIMIT`, `STOP_MARKET`...).
    `reduce_only` means that the venue never lets the order open or flip a position. `stop` is the protective stop
    that comes with an entry, if any. `replaces` is the `command_id` of the reservation that a modify changes.
    `ts` is UNIX ns. `reduces` says whether the order reduces a position where that does not follow from the book: with
    HEDGING, where a position is named, and for a quantity in quote currency. `is_message` is False for an order that is
    held back for now and sends nothing.
    """

    command_id: str
    kind: IntentKind
    instrument_id: str
    strategy_id: str
    side: Side
    quantity: Decimal
    price: Decimal | None = None
    order_type: str = "MARKET"
    reduce_only: bool = False
    stop: Decimal | None = None
    replaces: str | None = None
    ts: int = 0
    reduces: bool | None = None
    is_message: bool = True
