"""The position ledger of an account: check and act under one lock, exact over any number of processes.

The same class keeps the ledger on disk and, for backtests, in memory. Whatever it refuses is a value and leaves
nothing behind; a fill is a fact and never refused. The same `command_id` again returns the first outcome.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Self, Unpack

from tc.clock import SYSTEM_CLOCK, Clock
from tc.durable import Head
from tc.errors import BusyError
from tc.risk.book import Book
from tc.risk.intent import Intent
from tc.store.derived import Statement
from tc.store.ledger_command import (
    FillTerms,
    changed,
    deposited,
    fill_of,
    ledger_opened,
    person_of,
    reducing_fill,
    reservation_ended,
    reserved,
    withdrawn,
    wrong_side,
)
from tc.store.ledger_directory import LedgerDirectory
from tc.store.ledger_entry import (
    LatchClosed,
    LatchReleased,
    LedgerOpened,
    LossStreakReleased,
    Record,
    request_digest,
)
from tc.store.ledger_guard import known_head, require_nothing_lost
from tc.store.ledger_number import ZERO, Number, name_of, number_of, side_of, text_of
from tc.store.ledger_projection import Projection
from tc.store.ledger_rule import (
    NO_POSITION,
    NO_RESERVATION,
    OPPOSITE_POSITION,
    REDUCE_BEYOND_SIZE,
    STOP_BEYOND_PRICE,
    WITHDRAWAL_BEYOND_CASH,
    Refused,
    Rules,
    Unlimited,
)
from tc.store.ledger_session import LedgerSession, OnEntry, Outcome
from tc.store.ledger_storage import COMMAND_TIMEOUT_S, FileStorage, MemoryStorage


class PositionLedger(LedgerSession):
    """Positions, reservations and equity of one account.

    Made by `create`, `load` or `in_memory`. Numbers are Decimal or text, never float; times are UNIX ns. Every command
    may raise InputError (it can never be carried out as given), NotWritten (nothing was written) and OutcomeUnknown
    (load the ledger again and repeat the command under its id).
    """

    @classmethod
    def create(
        cls,
        directory: LedgerDirectory,
        currency: str,
        *,
        rules: Rules | None = None,
        timeout_s: float = COMMAND_TIMEOUT_S,
        clock: Clock = SYSTEM_CLOCK,
        ts: int | None = None,
    ) -> Self:
        """Make the ledger of a new account, opened at `ts`; raise BusyError where it has one."""
        record = ledger_opened(directory.account, currency)
        storage = FileStorage.create(directory, timeout_s=timeout_s, clock=clock)
        return cls(storage, rules or Unlimited(), clock)._opened(record, ts)

    @classmethod
    def load(
        cls,
        directory: LedgerDirectory,
        *,
        rules: Rules | None = None,
        timeout_s: float = COMMAND_TIMEOUT_S,
        clock: Clock = SYSTEM_CLOCK,
    ) -> Self:
        """Open an account's ledger; `timeout_s` is how long a command waits for others (50 ms in the order path).

        Raises:
            NotFound: the account has none.
            Corrupt: it is damaged, cut, empty or another account's.
            LockTimeout: it was held past the deadline.
        """
        known = known_head(directory)
        storage = FileStorage.open(directory, timeout_s=timeout_s, clock=clock)
        ledger = cls(storage, rules or Unlimited(), clock)
        try:
            with ledger._turn():
                directory.require_account(ledger._projection.account)
                require_nothing_lost(directory, ledger._projection.seq, known)
        except BaseException:
            storage.close()
            raise
        storage.renew_anchor()
        return ledger

    @classmethod
    def in_memory(
        cls,
        account: str,
        currency: str,
        *,
        rules: Rules | None = None,
        clock: Clock = SYSTEM_CLOCK,
        ts: int | None = None,
        on_entry: OnEntry | None = None,
    ) -> Self:
        """Return a ledger that lives as long as the process, opened at `ts`; `on_entry` sees the state after each."""
        ledger = cls(MemoryStorage(), rules or Unlimited(), clock)
        ledger._on_entry = on_entry
        return ledger._opened(ledger_opened(account, currency), ts)

    def open(
        self, command_id: str, instrument_id: str, strategy_id: str, side: str, quantity: Number, price: Number,
        **terms: Unpack[FillTerms],
    ) -> Outcome:  # fmt: skip
        """Open a position, or add to one of the same side, if the limits allow."""
        ts = self._ts(terms.pop("ts", None))
        record = fill_of("open", command_id, instrument_id, strategy_id, side_of(side), quantity, price, terms)
        intent = Intent(
            command_id, "submit", instrument_id, strategy_id, record.side, record.quantity, record.price, "LIMIT",
            stop=record.stop, ts=ts,
        )  # fmt: skip

        def decide(state: Projection) -> Record | Refused:
            held = state.positions.get((instrument_id, strategy_id))
            if held is not None and (held.quantity > 0) != (record.side == "BUY"):
                return Refused(OPPOSITE_POSITION, f"{strategy_id} holds {held.quantity} {instrument_id}")
            if wrong_side(record):
                return Refused(STOP_BEYOND_PRICE, f"stop {record.stop}, target {record.target}, entry {record.price}")
            return self._within_limits(state, intent, record)

        return self._execute(record, ts, decide)

    def reduce(
        self, command_id: str, instrument_id: str, strategy_id: str, quantity: Number, price: Number,
        *, fee: Number = 0, ts: int | None = None,
    ) -> Outcome:  # fmt: skip
        """Close a part of a position, or all of it; never refused by a limit."""
        size = number_of(quantity, "quantity")
        record = reducing_fill("reduce", command_id, instrument_id, strategy_id, size, price, fee)

        def decide(state: Projection) -> Record | Refused:
            held = state.positions.get((instrument_id, strategy_id))
            if held is None:
                return Refused(NO_POSITION, f"{strategy_id} holds no {instrument_id}")
            if size > held.quantity.copy_abs():
                return Refused(REDUCE_BEYOND_SIZE, f"asked to reduce by {size}, {held.quantity.copy_abs()} are held")
            return reducing_fill("reduce", command_id, instrument_id, strategy_id, size, price, fee, held)

        return self._execute(record, self._ts(ts), decide)

    def close(
        self, command_id: str, instrument_id: str, strategy_id: str, price: Number, *, fee: Number = 0,
        ts: int | None = None,
    ) -> Outcome:  # fmt: skip
        """Close all that is left of a position."""
        record = reducing_fill("close", command_id, instrument_id, strategy_id, None, price, fee)

        def decide(state: Projection) -> Record | Refused:
            held = state.positions.get((instrument_id, strategy_id))
            if held is None:
                return Refused(NO_POSITION, f"{strategy_id} holds no {instrument_id}")
            return reducing_fill("close", command_id, instrument_id, strategy_id, None, price, fee, held)

        return self._execute(record, self._ts(ts), decide)

    def reserve(self, intent: Intent, *, is_first: bool = False) -> Outcome:
        """Reserve what a submitted order may come to, if the limits allow; it counts from now on.

        With `is_first` an id that the ledger knows is refused, even for the same order: the caller is about to send it,
        and an order is sent once.
        """
        record = reserved(intent)
        return self._execute(
            record, self._ts(intent.ts), lambda state: self._within_limits(state, intent, record), is_first=is_first
        )

    def reserve_again(self, intent: Intent) -> Outcome:
        """Reserve what an order that has left already may come to, whatever the limits say: a power cut took it here.

        An order that the ledger knows is refused, also where its reservation has ended.
        """
        record = reserved(intent)
        return self._execute(record, self._ts(intent.ts), lambda _state: record, is_first=True)

    def change(self, intent: Intent, *, quantity_before: Decimal = ZERO) -> Outcome:
        """Reserve anew what the modified order `intent.replaces` may come to; refused, the old reservation stays.

        Until its venue confirms the modify the order may still fill as it was: the larger of its quantity now and
        `quantity_before` is reserved, and `note_change` says what became of it.
        """
        quantity = max(number_of(intent.quantity, "quantity"), quantity_before)
        record = changed(
            "change", intent.command_id, intent.replaces, quantity, intent.price, intent.stop, intent.order_type
        )

        def decide(state: Projection) -> Record | Refused:
            if record.reservation_id not in state.reservations:
                return Refused(NO_RESERVATION, f"there is no reservation {record.reservation_id}")
            return self._within_limits(state, intent, record)

        return self._execute(record, self._ts(intent.ts), decide)

    def note_change(
        self, command_id: str, reservation_id: str, quantity: Number, price: Number | None, stop: Number | None,
        *, ts: int | None = None,
    ) -> Outcome:  # fmt: skip
        """Record that a working order is another one by now: its venue changed it, whatever the limits say."""
        record = changed("note_change", command_id, reservation_id, quantity, price, stop)

        def decide(state: Projection) -> Record | Refused:
            if reservation_id not in state.reservations:
                return Refused(NO_RESERVATION, f"there is no reservation {reservation_id}")
            return record

        return self._execute(record, self._ts(ts), decide)

    def release(self, command_id: str, reservation_id: str, reason: str, *, ts: int | None = None) -> Outcome:
        """Release what is left of a reservation: its order was canceled, rejected or expired."""
        record = reservation_ended(command_id, reservation_id, reason)

        def decide(state: Projection) -> Record | Refused:
            if reservation_id not in state.reservations:
                return Refused(NO_RESERVATION, f"there is no reservation {reservation_id}")
            return record

        return self._execute(record, self._ts(ts), decide)

    def commit_fill(
        self, command_id: str, instrument_id: str, strategy_id: str, side: str, quantity: Number, price: Number,
        *, reservation_id: str | None = None, **terms: Unpack[FillTerms],
    ) -> Outcome:  # fmt: skip
        """Record a fill, whatever the limits say; what it breaches is recorded with it and named in the outcome.

        Refused only if the id was used for another command.

        Raises:
            LockTimeout: the ledger was busy. The fill is not recorded: offer it again.
        """
        ts = self._ts(terms.pop("ts", None))
        record = fill_of(
            "fill", command_id, instrument_id, strategy_id, side_of(side), quantity, price, terms, reservation_id
        )
        with self._turn():
            known = self._repeated(record)
            if isinstance(known, Refused):
                return known
            committed = known or self._append(ts, record)
            # Offered again it is judged again: the process may have died between the fill and its breach.
            if not committed.breaches:
                self._record_breaches(ts, record)
            return self._projection.commands[command_id]

    def deposit(self, command_id: str, amount: Number, *, ts: int | None = None) -> Outcome:
        """Record money that came in."""
        record = deposited(command_id, amount)
        return self._execute(record, self._ts(ts), lambda _state: record)

    def withdraw(self, command_id: str, amount: Number, *, ts: int | None = None) -> Outcome:
        """Record money that went out; no more than there is."""
        record = withdrawn(command_id, amount)

        def decide(state: Projection) -> Record | Refused:
            if record.amount > state.realized:
                return Refused(WITHDRAWAL_BEYOND_CASH, f"asked for {record.amount}, there are {state.realized}")
            return record

        return self._execute(record, self._ts(ts), decide)

    def close_latch(self, command_id: str, latch: str, reason: str, *, ts: int | None = None) -> Outcome:
        """Close a latch of `tc.risk.latch`: it holds, also after a restart, until it is released."""
        request = request_digest("close_latch", latch, reason)
        record = LatchClosed(
            command_id=name_of(command_id, "command_id"), request=request, latch=name_of(latch, "latch"),
            reason=text_of(reason, "reason"),
        )  # fmt: skip
        return self._execute(record, self._ts(ts), lambda _state: record)

    def release_latch(self, command_id: str, latch: str, person: str, reason: str, *, ts: int | None = None) -> Outcome:
        """Release a latch by a named person; `total_drawdown` is measured from the present equity on."""
        request = request_digest("release_latch", latch, person, reason)
        record = LatchReleased(
            command_id=name_of(command_id, "command_id"), request=request, latch=name_of(latch, "latch"),
            person=person_of(person), reason=text_of(reason, "reason"),
        )  # fmt: skip
        return self._execute(record, self._ts(ts), lambda _state: record)

    def release_streak(
        self, command_id: str, instrument_id: str, person: str, reason: str, *, ts: int | None = None
    ) -> Outcome:
        """Let an instrument trade again after consecutive losses, by a named person."""
        request = request_digest("release_streak", instrument_id, person, reason)
        record = LossStreakReleased(
            command_id=name_of(command_id, "command_id"), request=request,
            instrument_id=name_of(instrument_id, "instrument_id"), person=person_of(person),
            reason=text_of(reason, "reason"),
        )  # fmt: skip
        return self._execute(record, self._ts(ts), lambda _state: record)

    def defer(self) -> None:
        """Let commands on disk return before their entry is synced: whoever acts on one calls `acknowledge` first.

        Not so who can make it anew: an order waits for its own journal alone, from which it is reserved again, and a
        fill that a power cut takes is offered again by its venue.
        """
        if isinstance(self._storage, FileStorage):
            self._storage.defer()

    def acknowledge(self) -> None:
        """Return when every command so far survives a power cut; callable from any thread.

        Raises:
            StorageError: it does not; load the ledger again.
        """
        self._storage.acknowledge()

    def book(self, *, now_ns: int | None = None) -> Book:
        """Return the account as it is, commands of other processes included; raise LockTimeout where it is busy."""
        with self._turn():
            return self._projection.snapshot(self._ts(now_ns))

    def last_seen(self, now_ns: int) -> Book:
        """Return the account as of this process's last command: a live view that takes no lock and is never ahead."""
        return self._projection.book(now_ns)

    def documents(self, statement: Statement) -> dict[str, bytes]:
        """Return the derived files that `statement`, which saw every entry, gives for the present state."""
        return statement.documents(self._projection, Head(self._projection.seq, ""))

    @property
    def capital(self) -> Decimal:
        """Deposits less withdrawals, as of this process's last command."""
        return self._projection.capital

    @property
    def realized(self) -> Decimal:
        """Capital plus profit minus fees, as of this process's last command."""
        return self._projection.realized

    def _opened(self, record: LedgerOpened, ts: int | None) -> Self:
        try:
            with self._turn():
                if self._projection.account:
                    raise BusyError(f"the account {self._projection.account} has a ledger already; use that one")  # noqa: TRY301
                self._append(self._ts(ts), record)
        except BaseException:
            self._storage.close()
            raise
        return self
