"""The corruption guard: a ledger that lost anything is refused, and the loss is recorded where it can be alerted."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from tc.clock import SYSTEM_CLOCK, Clock
from tc.durable import FileLock, Head, Journal, make_directory, read_artifact
from tc.errors import AlreadyExists, BusyError, Corrupt, NotFound, StorageError
from tc.store.derived import high_watermark_of
from tc.store.ledger_directory import DERIVED, LedgerDirectory

LOSS = "LedgerLossDetected"
_TIMEOUT_S = 1.0


@contextlib.contextmanager
def guarded(directory: LedgerDirectory, clock: Clock = SYSTEM_CLOCK) -> Iterator[None]:
    """Record a safety event for a ledger that is found damaged inside, and let the fault go on its way."""
    try:
        yield
    except Corrupt as fault:
        # The refusal must reach the caller even where the event cannot be kept.
        with contextlib.suppress(StorageError, BusyError):
            record_loss(directory, str(fault), clock)
        raise


def record_loss(directory: LedgerDirectory, what: str, clock: Clock = SYSTEM_CLOCK) -> None:
    """Append a safety event beside the ledger; after return it survives a power cut."""
    make_directory(directory.path)
    with contextlib.suppress(AlreadyExists):
        Journal.create(directory.safety_events).close()
    lock = FileLock(directory.safety_lock, purpose="safety event", timeout_s=_TIMEOUT_S, clock=clock)
    with Journal.open(directory.safety_events, lock=lock, clock=clock) as events:
        events.append(LOSS, clock.now_ns(), {"account": directory.account, "what": what})


def known_head(directory: LedgerDirectory) -> Head | None:
    """Return the latest head of the ledger that an intact derived file remembers; None where none does."""
    latest: Head | None = None
    for name in DERIVED:
        try:
            head = high_watermark_of(read_artifact(directory.derived(name)))
        except NotFound:
            continue
        if head is not None and (latest is None or head.seq > latest.seq):
            latest = head
    return latest


def require_nothing_lost(directory: LedgerDirectory, seq: int, known: Head | None) -> None:
    """Raise Corrupt where the ledger ends at entry `seq` and a derived file was made from a later one."""
    if known is not None and known.seq > seq:
        missing = known.seq - seq
        raise directory.damaged(
            f"it ends at entry {seq} but its derived state was made from entry {known.seq}: "
            f"{missing} {'entry is' if missing == 1 else 'entries are'} missing"
        )
