"""The entries of a ledger: what happened, in the past tense, and no more than the fold needs.

Open rows, profits, streaks and equity are never stored; they follow from these by folding.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any, NamedTuple, Self

import msgspec

from tc.durable import Entry
from tc.risk.intent import Side

SCHEMA = "tc.ledger/v1"


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """What every entry carries.

    `command_id` makes it idempotent; `request` is the digest of what was asked under that id.
    """

    command_id: str
    request: str

    def asked_as(self, request: str) -> Self:
        """Return the record with the digest of what was asked."""
        return msgspec.structs.replace(self, request=request)


class LedgerOpened(Record, frozen=True, kw_only=True, gc=False):
    """The first entry: whose ledger this is and in which currency it counts."""

    account: str
    currency: str
    schema: str


class CapitalDeposited(Record, frozen=True, kw_only=True, gc=False):
    """Money came in; it is no profit."""

    amount: Decimal


class CapitalWithdrawn(Record, frozen=True, kw_only=True, gc=False):
    """Money went out; it is no loss."""

    amount: Decimal


class JudgedRecord(Record, frozen=True, kw_only=True, gc=False):
    """What was held against limits; `warnings` name those that were near."""

    warnings: tuple[str, ...] = ()

    def noting(self, warnings: tuple[str, ...]) -> Self:
        """Return the record with these warnings."""
        return msgspec.structs.replace(self, warnings=warnings) if warnings else self


class RiskReserved(JudgedRecord, frozen=True, kw_only=True, gc=False):
    """An order was approved and counts from now on; `quantity` is positive, `stop` protects what it opens."""

    instrument_id: str
    strategy_id: str
    side: Side
    quantity: Decimal
    price: Decimal | None = None
    stop: Decimal | None = None
    reduce_only: bool = False
    order_type: str = "MARKET"


class ReservationChanged(JudgedRecord, frozen=True, kw_only=True, gc=False):
    """A working order was modified; `quantity` is its new open quantity, `order_type` its new type if it has one."""

    reservation_id: str
    quantity: Decimal
    price: Decimal | None = None
    stop: Decimal | None = None
    order_type: str | None = None


class ReservationReleased(Record, frozen=True, kw_only=True, gc=False):
    """An order ended without filling the rest: canceled, rejected, expired or denied."""

    reservation_id: str
    reason: str


class FillCommitted(JudgedRecord, frozen=True, kw_only=True, gc=False):
    """A fill happened. `fee` is in the ledger's currency, negative for a rebate.

    `stop`, `target`, `setup`, `grade` and `notes` describe the row that it opens. Profit is quantity x multiplier x
    price difference; for an inverse instrument the difference of 1/price.
    """

    instrument_id: str
    strategy_id: str
    side: Side
    quantity: Decimal
    price: Decimal
    fee: Decimal = Decimal(0)
    reservation_id: str | None = None
    stop: Decimal | None = None
    target: Decimal | None = None
    setup: str = ""
    grade: str = ""
    notes: str = ""
    multiplier: Decimal = Decimal(1)
    is_inverse: bool = False


class BreachRecorded(Record, frozen=True, kw_only=True, gc=False):
    """The fill `cause` left the account over a limit: facts are never refused."""

    cause: str
    code: str
    detail: str


class LatchClosed(Record, frozen=True, kw_only=True, gc=False):
    """A latch closed: it holds until a named person releases it."""

    latch: str
    reason: str


class LatchReleased(Record, frozen=True, kw_only=True, gc=False):
    """A named person released a latch; releasing `total_drawdown` measures drawdown from here on."""

    latch: str
    person: str
    reason: str


class LossStreakReleased(Record, frozen=True, kw_only=True, gc=False):
    """A named person let an instrument trade again after consecutive losses."""

    instrument_id: str
    person: str
    reason: str


class RepairRecorded(Record, frozen=True, kw_only=True, gc=False):
    """A named person went on from a copy that lacks the entries `first_missing` to `last_missing`."""

    first_missing: int
    last_missing: int
    person: str
    reason: str


_TYPES: Mapping[str, type[Record]] = MappingProxyType(
    {one.__name__: one for one in (*Record.__subclasses__(), *JudgedRecord.__subclasses__()) if one is not JudgedRecord}
)
_DECODERS = {name: msgspec.json.Decoder(one) for name, one in _TYPES.items()}
_ENCODER = msgspec.json.Encoder()
JOURNAL_TYPES = frozenset({"TailRepaired"})
"""Entries that the journal writes about itself; they change nothing in the book."""


def encode_record(record: Record) -> bytes:
    """Return the record as the one-line JSON object that the journal keeps."""
    return _ENCODER.encode(record)


def decode_record(kind: str, data: bytes) -> Record:
    """Return the record of type `kind` in `data`; raise ValueError where it is none of ours."""
    decoder = _DECODERS.get(kind)
    if decoder is None:
        raise ValueError(f"{kind} is no entry of a ledger")
    try:
        return decoder.decode(data)
    except msgspec.MsgspecError as error:
        raise ValueError(str(error)) from None


class Stored(NamedTuple):
    """One entry as it is stored; `ts` is UNIX ns."""

    seq: int
    ts: int
    record: Record


def stored_of(entry: Entry) -> Stored:
    """Return the ledger entry in a journal entry; raise ValueError where it is none."""
    return Stored(entry.seq, entry.ts, decode_record(entry.type, entry.data))


def request_digest(verb: str, *arguments: Any) -> str:
    """Return what tells one request from another under the same command_id; time is no part of it."""
    return hashlib.sha256(_ENCODER.encode((verb, *arguments))).hexdigest()[:16]
