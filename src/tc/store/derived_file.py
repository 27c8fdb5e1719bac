"""The derived files on disk: rebuilt from the ledger alone, which is only read; damaged ones come back identical."""

from __future__ import annotations

from typing import NamedTuple

from tc.clock import SYSTEM_CLOCK, Clock
from tc.durable import FileLock, Head, read_artifact, sync_file, write_artifact
from tc.errors import NotFound
from tc.store.derived import Statement
from tc.store.ledger_directory import LedgerDirectory
from tc.store.ledger_entry import RepairRecorded, Stored
from tc.store.ledger_guard import guarded, known_head, require_nothing_lost
from tc.store.ledger_projection import Projection
from tc.store.ledger_reading import read_ledger

_TIMEOUT_S = 10.0


class Rebuilt(NamedTuple):
    """The head the files were made from, and the names of those that were written because they differed."""

    head: Head
    written: tuple[str, ...]


def derive(directory: LedgerDirectory, remembered: Head | None = None) -> tuple[dict[str, bytes], Head]:
    """Return the bytes of every derived file and the head they follow from; writes nothing.

    `remembered` is the head that the caller saw before: one more witness, until a named person goes on without it.

    Raises:
        NotFound: the account has no ledger.
        Corrupt: the ledger is damaged, or lost entries that its anchor, a derived file or the caller knows of.
    """
    known = known_head(directory)
    statement = Statement()
    state, head = Projection(), Head(0, "")
    for state, stored, head in read_ledger(directory):
        statement.take(state, stored)
        if known is not None and head.seq == known.seq and head.hash != known.hash:
            raise directory.damaged(f"entry {head.seq} is not the one that its derived state was made from")
        if remembered is not None and head.seq <= remembered.seq:
            if _is_given_up(remembered, stored):
                remembered = None
            elif head.seq == remembered.seq and head.hash != remembered.hash:
                raise directory.damaged(f"entry {head.seq} is not the one that was seen before")
    require_nothing_lost(directory, head.seq, known)
    if remembered is not None and head.seq < remembered.seq:
        raise directory.damaged(
            f"it ends at entry {head.seq} but entry {remembered.seq} was seen before: an older state was put back"
        )
    return statement.documents(state, head), head


def rebuild(directory: LedgerDirectory, clock: Clock = SYSTEM_CLOCK) -> Rebuilt:
    """Bring every derived file to what the ledger says, and leave alone what says it already.

    A damaged ledger leaves the files untouched and records a safety event.

    Raises:
        NotFound, Corrupt: as `derive`.
        LockTimeout: another process is rebuilding, or holds the ledger.
    """
    with guarded(directory, clock):
        return renew(directory, clock)


def renew(directory: LedgerDirectory, clock: Clock = SYSTEM_CLOCK, remembered: Head | None = None) -> Rebuilt:
    """Do what `rebuild` does, but leave it to the caller to record a loss; `remembered` is as in `derive`."""
    if not directory.path.is_dir():
        directory.require()
    with derived_lock(directory, "rebuild derived state", clock):
        documents, head = derive(directory, remembered)
        _await_writer(directory, clock)
        written = [name for name, data in documents.items() if _differs(directory, name, data)]
        for name in written:
            write_artifact(directory.derived(name), documents[name])
    return Rebuilt(head, tuple(written))


def derived_lock(directory: LedgerDirectory, purpose: str, clock: Clock = SYSTEM_CLOCK) -> FileLock:
    """Return the lock of whoever reads the ledger to write derived files from it; it comes before the ledger's own."""
    return FileLock(directory.path / "derived.lock", purpose=purpose, timeout_s=_TIMEOUT_S, clock=clock)


def _is_given_up(remembered: Head, stored: Stored) -> bool:
    # A named person went on without the entries up to `last_missing`, and so without the one that is remembered.
    return isinstance(stored.record, RepairRecorded) and remembered.seq <= stored.record.last_missing


def _await_writer(directory: LedgerDirectory, clock: Clock) -> None:
    # The last entry may have been read before its writer synced it. A power cut would take it, and files that remember
    # it would refuse the ledger. Writers sync before they let go of the lock, but those of live runs, who defer it.
    purpose = f"rebuild after {directory.account}'s writer"[:160]
    with FileLock(directory.lock, purpose=purpose, timeout_s=_TIMEOUT_S, clock=clock):
        sync_file(directory.journal)


def _differs(directory: LedgerDirectory, name: str, data: bytes) -> bool:
    try:
        return read_artifact(directory.derived(name)) != data
    except NotFound:
        return True
