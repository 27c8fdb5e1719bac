"""Checking a ledger, copying it out, and putting a copy back when the ledger was damaged.

A copy that lacks entries which are known to have existed is refused, unless a named person goes on without them;
that is then an entry of its own.
"""

from __future__ import annotations

import contextlib
import itertools
from pathlib import Path
from typing import NamedTuple

from tc.clock import SYSTEM_CLOCK, Clock
from tc.durable import (
    FileLock,
    Head,
    Journal,
    create_artifact,
    read_anchor,
    read_artifact,
    read_entries,
    remove_artifact,
    verify_journal,
    write_artifact,
)
from tc.errors import AlreadyExists, ArtifactCorrupt, Corrupt, InputError, NotFound
from tc.store.derived_file import derived_lock
from tc.store.ledger_command import person_of
from tc.store.ledger_directory import LedgerDirectory
from tc.store.ledger_entry import RepairRecorded, encode_record, request_digest
from tc.store.ledger_guard import guarded, known_head, require_nothing_lost
from tc.store.ledger_number import text_of
from tc.store.ledger_reading import read_ledger
from tc.store.ledger_storage import COMMAND_TIMEOUT_S


class LedgerCheck(NamedTuple):
    """What a check found; `problem` is None where every entry is there and follows from those before it."""

    entries: int
    head: Head
    torn_bytes: int
    problem: Corrupt | None


class Restored(NamedTuple):
    """What was put back: its entries, those that are missing for good, and where the damaged ledger was kept."""

    entries: int
    missing: int
    evidence: Path | None


def verify_ledger(directory: LedgerDirectory, clock: Clock = SYSTEM_CLOCK) -> LedgerCheck:
    """Check chain, anchor, derived state and fold; damage is a value, and a safety event.

    Raises:
        NotFound: the account has no ledger.
    """
    problem: Corrupt | None = None
    try:
        with guarded(directory, clock):
            seq, known = 0, known_head(directory)  # asked first: others may commit and rebuild during the reading
            for state, _, _ in read_ledger(directory):
                seq = state.seq
            require_nothing_lost(directory, seq, known)
    except Corrupt as found:
        problem = found
    if not directory.journal.exists():
        return LedgerCheck(0, Head(0, ""), 0, problem)
    check = verify_journal(directory.journal)
    return LedgerCheck(check.entries, check.head, check.torn_bytes, problem)


def restore(
    directory: LedgerDirectory,
    copy: Path,
    *,
    person: str = "",
    reason: str = "",
    accepts_loss: bool = False,
    clock: Clock = SYSTEM_CLOCK,
) -> Restored:
    """Put `copy` in the place of a damaged ledger; what was there is kept beside it as evidence.

    Processes that still have the old journal open refuse to write to it. After a crash the ledger is the old one or
    the copy.

    Raises:
        InputError: the ledger is not damaged, the copy is not this account's, or it lacks entries that are known to
            have existed and nobody answers for going on without them.
        Corrupt: the copy is damaged too.
    """
    purpose = f"restore ledger of {directory.account}"[:160]
    lock = FileLock(directory.lock, purpose=purpose, timeout_s=COMMAND_TIMEOUT_S)
    # Who derives sees the ledger before or after: no file is made that remembers what is given up here.
    with derived_lock(directory, purpose, clock):
        return _restore(directory, copy, lock, person, reason, accepts_loss=accepts_loss, clock=clock)


def _restore(
    directory: LedgerDirectory, copy: Path, lock: FileLock, person: str, reason: str, *, accepts_loss: bool,
    clock: Clock,
) -> Restored:  # fmt: skip
    with lock:
        if verify_ledger(directory, clock).problem is None:
            raise InputError(f"the ledger of {directory.account} is not damaged; there is nothing to restore")
        data, entries = _verified_copy(directory, copy)
        known = max(_known_seq(directory), entries)
        if known > entries and not accepts_loss:
            raise InputError(
                f"the copy {copy} ends at entry {entries}, but entry {known} existed: give a later copy, or "
                "--accept-loss with --by and --reason to go on without them"
            )
        record = None
        if known > entries:
            record = RepairRecorded(
                command_id=f"repair-{known}-{clock.now_ns()}",
                request=request_digest("restore", entries, known),
                first_missing=entries + 1,
                last_missing=known,
                person=person_of(person),
                reason=text_of(reason, "reason"),
            )
        evidence = _keep_evidence(directory)
        write_artifact(directory.journal, data)
    # Until the end a crash leaves heads that refuse the copy, so that restoring is repeated, never half done.
    with Journal.open(directory.journal, lock=lock, clock=clock) as journal:
        if record is not None:
            journal.append(type(record).__name__, clock.now_ns(), encode_record(record))
        journal.write_anchor(directory.anchor)
    _forget_derived(directory)
    return Restored(entries, known - entries, evidence)


def _verified_copy(directory: LedgerDirectory, copy: Path) -> tuple[bytes, int]:
    held = LedgerDirectory(copy.parent, directory.account)
    seq = 0
    for state, _, _ in read_ledger(held, copy):
        seq = state.seq
    data = read_artifact(copy)
    if not data.endswith(b"\n"):
        raise InputError(f"the copy {copy} ends in the middle of an entry; export it again")
    return data, seq


def _known_seq(directory: LedgerDirectory) -> int:
    seqs = [0]
    with contextlib.suppress(ArtifactCorrupt):  # an anchor that does not parse knows nothing
        anchor = read_anchor(directory.anchor)
        seqs += [anchor.seq] if anchor is not None else []
    derived = known_head(directory)
    seqs += [derived.seq] if derived is not None else []
    with contextlib.suppress(Corrupt, NotFound):  # what follows the damage cannot be counted
        seqs.extend(entry.seq for entry in read_entries(directory.journal))
    return max(seqs)


def _keep_evidence(directory: LedgerDirectory) -> Path | None:
    try:
        damaged = read_artifact(directory.journal)
    except NotFound:
        return None
    for number in itertools.count(1):
        evidence = directory.journal.with_name(f"{directory.journal.name}.damaged-{number}")
        try:
            create_artifact(evidence, damaged)
        except AlreadyExists:
            continue
        return evidence
    return None


def _forget_derived(directory: LedgerDirectory) -> None:
    # They remember entries that are gone for good and would refuse the copy; the next rebuild makes them anew.
    for path in directory.derived_files:
        with contextlib.suppress(NotFound):
            remove_artifact(path)
