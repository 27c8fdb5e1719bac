"""From what a caller says to the entry it would become: checked for itself, before anything is locked.

Whether the entry may follow what the ledger holds is decided later, under the lock.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TypedDict

from tc.errors import InputError
from tc.ids import plain_id
from tc.risk.intent import Intent
from tc.store.ledger_entry import (
    SCHEMA,
    CapitalDeposited,
    CapitalWithdrawn,
    FillCommitted,
    LedgerOpened,
    ReservationChanged,
    ReservationReleased,
    RiskReserved,
    request_digest,
)
from tc.store.ledger_number import ZERO, Number, name_of, number_of, optional_number, side_of, text_of
from tc.store.ledger_row import OpenPosition

_CURRENCY = re.compile(r"[A-Z][A-Z0-9]{1,9}")


class FillTerms(TypedDict, total=False):
    """What may be said of a fill: `fee` in the ledger's currency, the row's description, contract terms, UNIX ns."""

    fee: Number
    stop: Number | None
    target: Number | None
    setup: str
    grade: str
    notes: str
    multiplier: Number
    is_inverse: bool
    ts: int | None


def ledger_opened(account: str, currency: str) -> LedgerOpened:
    """Return the first entry; raise InputError where the currency is no code such as USDT."""
    if not _CURRENCY.fullmatch(currency):
        raise InputError(f"the currency must be a code such as USDT, was {currency!r}")
    plain_id(account, "account")
    request = request_digest("create", account, currency)
    return LedgerOpened(command_id="ledger-opened", request=request, account=account, currency=currency, schema=SCHEMA)


def fill_of(
    verb: str, command_id: str, instrument_id: str, strategy_id: str, side: str, quantity: Number, price: Number,
    terms: FillTerms, reservation_id: str | None = None,
) -> FillCommitted:  # fmt: skip
    """Return the fill that `verb` asks for; raise InputError where a number or a name is none."""
    fill = FillCommitted(
        command_id=name_of(command_id, "command_id"),
        request="",
        instrument_id=name_of(instrument_id, "instrument_id"),
        strategy_id=name_of(strategy_id, "strategy_id"),
        side=side_of(side),
        quantity=number_of(quantity, "quantity"),
        price=number_of(price, "price"),
        fee=number_of(terms.get("fee", 0), "fee", is_signed=True),
        reservation_id=None if reservation_id is None else name_of(reservation_id, "reservation_id"),
        stop=optional_number(terms.get("stop"), "stop"),
        target=optional_number(terms.get("target"), "target"),
        setup=text_of(terms.get("setup", ""), "setup"),
        grade=text_of(terms.get("grade", ""), "grade"),
        notes=text_of(terms.get("notes", ""), "notes"),
        multiplier=number_of(terms.get("multiplier", 1), "multiplier"),
        is_inverse=terms.get("is_inverse", False),
    )
    return fill.asked_as(request_digest(verb, fill))


def reducing_fill(
    verb: str, command_id: str, instrument_id: str, strategy_id: str, quantity: Decimal | None, price: Number,
    fee: Number, held: OpenPosition | None = None,
) -> FillCommitted:  # fmt: skip
    """Return the fill that takes `quantity` (None: all) off the row `held`; without a row, what stands for it."""
    price, fee = number_of(price, "price"), number_of(fee, "fee", is_signed=True)
    request = request_digest(verb, instrument_id, strategy_id, quantity, price, fee)
    name, instrument = name_of(command_id, "command_id"), name_of(instrument_id, "instrument_id")
    strategy = name_of(strategy_id, "strategy_id")
    signed = ZERO if held is None else held.quantity
    return FillCommitted(
        command_id=name,
        request=request,
        instrument_id=instrument,
        strategy_id=strategy,
        side="SELL" if signed > 0 else "BUY",
        quantity=signed.copy_abs() if quantity is None else quantity,
        price=price,
        fee=fee,
    )


def reserved(intent: Intent) -> RiskReserved:
    """Return the reservation that a submitted order asks for; raise InputError where a number is none."""
    record = RiskReserved(
        command_id=name_of(intent.command_id, "command_id"),
        request="",
        instrument_id=name_of(intent.instrument_id, "instrument_id"),
        strategy_id=name_of(intent.strategy_id, "strategy_id"),
        side=side_of(intent.side),
        quantity=number_of(intent.quantity, "quantity"),
        price=optional_number(intent.price, "price"),
        stop=optional_number(intent.stop, "stop"),
        reduce_only=intent.reduce_only,
        order_type=name_of(intent.order_type, "order type"),
    )
    return record.asked_as(request_digest("reserve", record))


def changed(
    verb: str, command_id: str, reservation_id: str | None, quantity: Number, price: Number | None,
    stop: Number | None, order_type: str | None = None,
) -> ReservationChanged:  # fmt: skip
    """Return what becomes of a working order; raise InputError where it names none or a number is none."""
    record = ReservationChanged(
        command_id=name_of(command_id, "command_id"),
        request="",
        reservation_id=name_of(reservation_id or "", "the reservation that a modify replaces"),
        quantity=number_of(quantity, "quantity"),
        price=optional_number(price, "price"),
        stop=optional_number(stop, "stop"),
        order_type=None if order_type is None else name_of(order_type, "order type"),
    )
    return record.asked_as(request_digest(verb, record))


def reservation_ended(command_id: str, reservation_id: str, reason: str) -> ReservationReleased:
    """Return the end of a reservation."""
    return ReservationReleased(
        command_id=name_of(command_id, "command_id"),
        request=request_digest("release", reservation_id, reason),
        reservation_id=name_of(reservation_id, "reservation_id"),
        reason=text_of(reason, "reason"),
    )


def deposited(command_id: str, amount: Number) -> CapitalDeposited:
    """Return money coming in."""
    money = number_of(amount, "amount")
    return CapitalDeposited(
        command_id=name_of(command_id, "command_id"), request=request_digest("deposit", money), amount=money
    )


def withdrawn(command_id: str, amount: Number) -> CapitalWithdrawn:
    """Return money going out."""
    money = number_of(amount, "amount")
    return CapitalWithdrawn(
        command_id=name_of(command_id, "command_id"), request=request_digest("withdraw", money), amount=money
    )


def person_of(person: str) -> str:
    """Return the name of the person who answers for a release; raise InputError where none is given."""
    return name_of(person, "the person who releases")


def wrong_side(fill: FillCommitted) -> bool:
    """Return whether stop or target of an opening fill are on the wrong side of its price."""
    below, above = (fill.stop, fill.target) if fill.side == "BUY" else (fill.target, fill.stop)
    return (below is not None and below >= fill.price) or (above is not None and above <= fill.price)
