"""The fold of a ledger: entries in, the book out. Pure, the same for a file and for memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal, getcontext, setcontext
from types import MappingProxyType
from typing import Any

import msgspec

from tc.risk.book import Book, EquityState, Reservation, Row
from tc.risk.calendar import day_of, week_of
from tc.risk.latch import DAILY_LOSS, TOTAL_DRAWDOWN
from tc.store.ledger_entry import (
    BreachRecorded,
    CapitalDeposited,
    CapitalWithdrawn,
    FillCommitted,
    JudgedRecord,
    LatchClosed,
    LatchReleased,
    LedgerOpened,
    LossStreakReleased,
    Record,
    RepairRecorded,
    ReservationChanged,
    ReservationReleased,
    RiskReserved,
)
from tc.store.ledger_number import ARITHMETIC, ZERO, money_of
from tc.store.ledger_row import ClosedPosition, OpenPosition

Key = tuple[str, str]


class Committed(msgspec.Struct, frozen=True, gc=False):
    """A command that is in the ledger: its entry, what it closed, and the limits it left breached.

    `warnings` name the limits that it came close to.
    """

    command_id: str
    request: str
    seq: int
    ts: int
    closed: tuple[ClosedPosition, ...] = ()
    breaches: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class Rows(Mapping[Key, Row]):
    """The open rows of a projection as the limits see them; each is made when it is looked at."""

    def __init__(self, account: str, positions: Mapping[Key, OpenPosition]) -> None:
        self._account = account
        self._positions = positions

    def __getitem__(self, key: Key) -> Row:
        return self._positions[key].row(self._account)

    def __iter__(self) -> Iterator[Key]:
        return iter(self._positions)

    def __len__(self) -> int:
        return len(self._positions)


class Projection:
    """State of one ledger after entry `seq`."""

    def __init__(self) -> None:
        self.account = ""
        self.currency = ""
        self.seq = 0
        self.ts = 0
        self.commands: dict[str, Committed] = {}
        self.positions: dict[Key, OpenPosition] = {}
        self.reservations: dict[str, Reservation] = {}
        self.streaks: dict[str, int] = {}
        self.latches: dict[str, int] = {}
        self.capital = self.profit = self.fees = ZERO
        self.realized = self.peak = self.day_start = self.week_start = ZERO
        self.day = self.week = 0
        self._rows = Rows("", {})

    def apply(self, seq: int, ts: int, record: Record) -> Committed:
        """Take one entry into account and return what it did.

        Raises:
            ValueError: it cannot follow what is there, so this is not a ledger that we wrote.
        """
        if (not self.account) != (type(record) is LedgerOpened):
            raise ValueError("a ledger starts with LedgerOpened, and has it once")
        if record.command_id in self.commands:
            raise ValueError(f"the command {record.command_id} is there twice")
        around = getcontext()
        setcontext(ARITHMETIC)  # a localcontext would copy it, once an entry
        try:
            self._turn_day(ts)
            closed = _FOLDS[type(record)](self, ts, record)
        finally:
            setcontext(around)
        warnings = record.warnings if isinstance(record, JudgedRecord) else ()
        committed = Committed(record.command_id, record.request, seq, ts, closed, (), warnings)
        self.commands[record.command_id] = committed
        self.seq, self.ts = seq, ts
        return committed

    def book(self, now_ns: int) -> Book:
        """Return a live view of the account as limits see it at `now_ns`; it changes with the next entry."""
        return Book(
            self.account, self._rows, MappingProxyType(self.reservations), self._equity(now_ns),
            MappingProxyType(self.streaks), MappingProxyType(self.latches),
        )  # fmt: skip

    def snapshot(self, now_ns: int) -> Book:
        """Return the account as `book` does, but as a copy that stays as it is."""
        live = self.book(now_ns)
        return replace(
            live, rows=dict(live.rows), reservations=dict(self.reservations),
            consecutive_losses=dict(self.streaks), latches=dict(self.latches),
        )  # fmt: skip

    def _equity(self, now_ns: int) -> EquityState:
        day, week = max(self.day, day_of(now_ns)), max(self.week, week_of(now_ns))
        day_start = self.day_start if day == self.day else self.realized
        week_start = self.week_start if week == self.week else self.realized
        return EquityState(
            self.currency, self.realized, None, self.peak, day_start, week_start, day, week, self.capital
        )

    def _turn_day(self, ts: int) -> None:
        # An entry stamped before the present day belongs to it: days never turn back.
        day = day_of(ts)
        if day > self.day:
            self.day, self.day_start = day, self.realized
            week = week_of(ts)
            if week > self.week:
                self.week, self.week_start = week, self.realized

    def _open(self, _ts: int, record: LedgerOpened) -> tuple[ClosedPosition, ...]:
        self.account, self.currency = record.account, record.currency
        self._rows = Rows(record.account, self.positions)
        return ()

    def _deposit(self, _ts: int, record: CapitalDeposited) -> tuple[ClosedPosition, ...]:
        return self._move_capital(record.amount)

    def _withdraw(self, _ts: int, record: CapitalWithdrawn) -> tuple[ClosedPosition, ...]:
        return self._move_capital(-record.amount)

    def _move_capital(self, amount: Decimal) -> tuple[ClosedPosition, ...]:
        # In proportion: money that comes heals no drawdown, and money that goes causes none.
        before, after = self.realized, self.realized + amount
        if before > 0 and after > 0:
            self.peak = self.peak * after / before
            self.day_start = self.day_start * after / before
            self.week_start = self.week_start * after / before
        else:
            self.peak, self.day_start, self.week_start = after, after, after
        self.capital += amount
        self.realized = after
        return ()

    def _reserve(self, ts: int, record: RiskReserved) -> tuple[ClosedPosition, ...]:
        self.reservations[record.command_id] = Reservation(
            record.command_id, record.instrument_id, record.strategy_id, record.side, record.quantity, record.price,
            record.stop, record.reduce_only, ts, record.order_type,
        )  # fmt: skip
        return ()

    def _change(self, _ts: int, record: ReservationChanged) -> tuple[ClosedPosition, ...]:
        found = self.reservations.get(record.reservation_id)
        if found is None:
            raise ValueError(f"there is no reservation {record.reservation_id} to change")
        self.reservations[record.reservation_id] = replace(
            found,
            quantity=record.quantity,
            price=record.price,
            stop=record.stop,
            order_type=record.order_type or found.order_type,
        )
        return ()

    def _release(self, _ts: int, record: ReservationReleased) -> tuple[ClosedPosition, ...]:
        if self.reservations.pop(record.reservation_id, None) is None:
            raise ValueError(f"there is no reservation {record.reservation_id} to release")
        return ()

    def _fill(self, ts: int, fill: FillCommitted) -> tuple[ClosedPosition, ...]:
        if fill.reservation_id is not None:
            self._consume(fill.reservation_id, fill.quantity)
        key = (fill.instrument_id, fill.strategy_id)
        signed = fill.quantity if fill.side == "BUY" else -fill.quantity
        position = self.positions.get(key)
        self.fees += fill.fee
        self.realized -= fill.fee
        if position is None:
            self.positions[key] = OpenPosition(fill, ts, signed, fill.fee)
            closed: tuple[ClosedPosition, ...] = ()
        elif (position.quantity > 0) == (signed > 0):
            position.extend(fill, signed, fill.fee)
            closed = ()
        else:
            closed = self._reduce(key, position, ts, fill, signed)
        self.peak = max(self.peak, self.realized)
        return closed

    def _reduce(
        self, key: Key, position: OpenPosition, ts: int, fill: FillCommitted, signed: Decimal
    ) -> tuple[ClosedPosition, ...]:
        taken = signed if abs(signed) <= abs(position.quantity) else -position.quantity
        fee = fill.fee if taken == signed else money_of(fill.fee * taken / signed)
        earned = position.reduce(taken, fill.price, fee)
        self.profit += earned
        self.realized += earned
        if position.quantity:
            return ()
        closed = position.closed(ts)
        del self.positions[key]
        self._count_loss(closed)
        if taken != signed:  # it crossed zero: the rest opens the next row
            self.positions[key] = OpenPosition(fill, ts, signed - taken, fill.fee - fee)
        return (closed,)

    def _consume(self, reservation_id: str, quantity: Decimal) -> None:
        # A fill may be larger than what was reserved, or come after the release: it is a fact all the same.
        found = self.reservations.get(reservation_id)
        if found is not None:
            left = found.quantity - quantity
            if left > 0:
                self.reservations[reservation_id] = replace(found, quantity=left)
            else:
                del self.reservations[reservation_id]

    def _count_loss(self, closed: ClosedPosition) -> None:
        if closed.profit < 0:
            self.streaks[closed.instrument_id] = self.streaks.get(closed.instrument_id, 0) + 1
        else:
            self.streaks.pop(closed.instrument_id, None)

    def _breach(self, _ts: int, record: BreachRecorded) -> tuple[ClosedPosition, ...]:
        cause = self.commands.get(record.cause)
        if cause is None:
            raise ValueError(f"there is no fill {record.cause} that could have breached {record.code}")
        self.commands[record.cause] = msgspec.structs.replace(cause, breaches=(*cause.breaches, record.code))
        return ()

    def _close_latch(self, ts: int, record: LatchClosed) -> tuple[ClosedPosition, ...]:
        if record.latch == DAILY_LOSS:
            self.latches[record.latch] = ts  # it ends with its day, so each day closes it anew
        else:
            self.latches.setdefault(record.latch, ts)
        return ()

    def _release_latch(self, _ts: int, record: LatchReleased) -> tuple[ClosedPosition, ...]:
        self.latches.pop(record.latch, None)
        if record.latch == TOTAL_DRAWDOWN:
            self.peak = self.realized
        return ()

    def _release_streak(self, _ts: int, record: LossStreakReleased) -> tuple[ClosedPosition, ...]:
        self.streaks.pop(record.instrument_id, None)
        return ()

    def _note_repair(self, _ts: int, _record: RepairRecorded) -> tuple[ClosedPosition, ...]:
        return ()


_FOLDS: Mapping[type[Record], Callable[[Projection, int, Any], tuple[ClosedPosition, ...]]] = {
    LedgerOpened: Projection._open,
    CapitalDeposited: Projection._deposit,
    CapitalWithdrawn: Projection._withdraw,
    RiskReserved: Projection._reserve,
    ReservationChanged: Projection._change,
    ReservationReleased: Projection._release,
    FillCommitted: Projection._fill,
    BreachRecorded: Projection._breach,
    LatchClosed: Projection._close_latch,
    LatchReleased: Projection._release_latch,
    LossStreakReleased: Projection._release_streak,
    RepairRecorded: Projection._note_repair,
}
