"""What every command of a ledger goes through: one turn, one decision under the lock, one append, one fold."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from tc.clock import Clock
from tc.errors import InputError, LockTimeout, NotWritten, StorageError
from tc.risk.intent import Intent
from tc.store.ledger_entry import BreachRecorded, FillCommitted, JudgedRecord, Record, Stored, request_digest
from tc.store.ledger_projection import Committed, Projection
from tc.store.ledger_rule import COMMAND_REUSED, LEDGER_BUSY, Refused, Rules
from tc.store.ledger_storage import LedgerStorage, LedgerUsage

TS_MAX = 2**63 - 1
"""The last nanosecond that an entry can have: it is in the year 2262."""

Outcome = Committed | Refused
OnEntry = Callable[[Projection, Stored], None]
Decision = Callable[[Projection], Record | Refused]


class LedgerSession:
    """A ledger in use: its storage, the state folded from it so far, and the rules it asks.

    What is in memory is never ahead of what is stored: where the two may differ, everything is refused from then on.
    """

    def __init__(self, storage: LedgerStorage, rules: Rules, clock: Clock) -> None:
        self._storage = storage
        self._rules = rules
        self._clock = clock
        self._projection = Projection()
        self._fault: BaseException | None = None
        self._on_entry: OnEntry | None = None

    @property
    def usage(self) -> LedgerUsage:
        """What this process did with the ledger so far."""
        return self._storage.usage

    def disconnect(self) -> None:
        """Let go of the files; on disk the head is recorded outside the journal."""
        self._storage.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.disconnect()

    def _ts(self, ts: int | None) -> int:
        if not ts:
            return self._clock.now_ns()
        if ts.__class__ is not int or not 0 < ts <= TS_MAX:
            raise InputError(f"a time must be UNIX nanoseconds from 1 to {TS_MAX}, was {ts!r}; correct it")
        return ts

    def _within_limits(self, state: Projection, intent: Intent, record: JudgedRecord) -> Record | Refused:
        judgment = self._rules.judge(state.book(self._ts(intent.ts)), intent)
        if judgment.refusal is not None:
            return judgment.refusal
        return record.noting(judgment.warnings)

    def _execute(self, record: Record, ts: int, decide: Decision, *, is_first: bool = False) -> Outcome:
        try:
            with self._turn():
                known = self._repeated(record)
                if known is not None:
                    return known if not is_first else Refused(COMMAND_REUSED, f"{record.command_id} was sent before")
                decided = decide(self._projection)
                return decided if isinstance(decided, Refused) else self._append(ts, decided)
        except LockTimeout as busy:
            self._storage.usage.busy += 1
            return Refused(LEDGER_BUSY, str(busy))

    def _repeated(self, record: Record) -> Outcome | None:
        known = self._projection.commands.get(record.command_id)
        if known is None or known.request == record.request:
            return known
        return Refused(COMMAND_REUSED, f"{record.command_id} is entry {known.seq}; give a new command an id of its own")

    def _record_breaches(self, ts: int, fill: FillCommitted) -> None:
        for breach in self._rules.breaches(self._projection.book(ts), ts):
            command_id = f"{fill.command_id}/{breach.code}"
            if command_id not in self._projection.commands:
                request = request_digest("breach", fill.command_id, breach.code)
                record = BreachRecorded(
                    command_id=command_id,
                    request=request,
                    cause=fill.command_id,
                    code=breach.code,
                    detail=breach.detail,
                )
                self._append(ts, record)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if self._fault is not None:
            raise self._fault
        with self._storage.turn() as news:
            try:
                for stored in news:
                    self._fold(stored)
            except BaseException as error:
                self._poison(error)  # the rest of the news would never be given out again
                raise
            yield

    def _append(self, ts: int, record: Record) -> Committed:
        try:
            stored = self._storage.append(ts, record)
        except NotWritten:
            raise
        except BaseException as error:
            self._poison(error)
            raise
        return self._fold(stored)

    def _fold(self, stored: Stored) -> Committed:
        try:
            committed = self._projection.apply(stored.seq, stored.ts, stored.record)
        except (ValueError, ArithmeticError) as error:
            self._fault = self._storage.damaged(stored.seq, str(error))
            raise self._fault from error
        except BaseException as error:
            self._poison(error)
            raise
        if self._on_entry is not None:
            self._on_entry(self._projection, stored)
        return committed

    def _poison(self, error: BaseException) -> None:
        # What is in memory may differ from what is stored: nothing is decided on it any more.
        interrupted = f"the ledger of {self._projection.account} was interrupted in a command; load it again"
        self._fault = error if isinstance(error, StorageError) else StorageError(interrupted)
