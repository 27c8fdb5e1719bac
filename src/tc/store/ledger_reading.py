"""Reading a ledger without touching it: opened read-only, no lock, nothing repaired."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tc.durable import Head, JournalReader
from tc.errors import Corrupt
from tc.store.ledger_directory import LedgerDirectory, describe_damage
from tc.store.ledger_entry import JOURNAL_TYPES, Stored, stored_of
from tc.store.ledger_projection import Projection


def read_ledger(directory: LedgerDirectory, copy: Path | None = None) -> Iterator[tuple[Projection, Stored, Head]]:
    """Yield the state after each entry, verified against chain and anchor; the state is one object that moves on.

    With `copy` that file is read instead; it has no anchor.

    Raises:
        NotFound: the account has no ledger.
        Corrupt: it is damaged, cut, empty or another account's; the message names the way back.
    """
    if copy is None:
        directory.require()
    path, anchor = (directory.journal, directory.anchor) if copy is None else (copy, None)
    projection = Projection()
    seq = 0
    try:
        with JournalReader(path, anchor=anchor) as reader:
            for entry in reader.entries():
                seq = entry.seq
                if entry.type not in JOURNAL_TYPES:
                    stored = stored_of(entry)
                    projection.apply(stored.seq, stored.ts, stored.record)
                    yield projection, stored, reader.head
    except Corrupt as error:
        raise directory.damaged(describe_damage(error)) from error
    except (ValueError, ArithmeticError) as error:
        raise directory.damaged(f"entry {seq} does not follow from those before it: {error}") from error
    directory.require_account(projection.account)


def read_state(directory: LedgerDirectory) -> Projection:
    """Return the state of the ledger as it is now; raises as `read_ledger` does."""
    state = Projection()
    for state, _, _ in read_ledger(directory):  # noqa: B007 - the last one is what is wanted
        pass
    return state
