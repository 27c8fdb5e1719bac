"""Ways to damage a ledger of twelve entries, with the words that every refusal of it must hold."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from support.ledger_lab import T0, committed, directory_of, make_ledger
from tc.durable import read_entries
from tc.store.derived_file import rebuild
from tc.store.ledger_directory import LedgerDirectory

Damage = Callable[[LedgerDirectory], None]


def twelve_entries(runtime: Path) -> LedgerDirectory:
    """Return a ledger of twelve entries with its derived files."""
    with make_ledger(runtime) as ledger:
        for number in range(5):
            committed(ledger.open(f"o{number}", "BTC.X", "S", "BUY", "1", "100", stop="99", ts=T0))
            committed(ledger.close(f"c{number}", "BTC.X", "S", str(98 + number), ts=T0))
    rebuild(directory_of(runtime))
    return directory_of(runtime)


def derived_bytes(directory: LedgerDirectory) -> dict[str, bytes]:
    """Return the derived files that are there."""
    return {path.name: path.read_bytes() for path in directory.derived_files if path.exists()}


def losses(directory: LedgerDirectory) -> list[str]:
    """Return what the safety events say."""
    if not directory.safety_events.exists():
        return []
    return [entry.payload()["what"] for entry in read_entries(directory.safety_events)]


def lines(directory: LedgerDirectory) -> list[bytes]:
    """Return the journal's lines."""
    return directory.journal.read_bytes().splitlines(keepends=True)


def without_last(directory: LedgerDirectory) -> None:
    os.truncate(directory.journal, sum(map(len, lines(directory)[:-1])))


def half(directory: LedgerDirectory) -> None:
    directory.journal.write_bytes(b"".join(lines(directory)[:6]))


def half_torn(directory: LedgerDirectory) -> None:
    data = directory.journal.read_bytes()
    directory.journal.write_bytes(data[: len(data) // 2])


def emptied(directory: LedgerDirectory) -> None:
    directory.journal.write_bytes(b"")


def removed(directory: LedgerDirectory) -> None:
    directory.journal.unlink()


def middle_dropped(directory: LedgerDirectory) -> None:
    kept = lines(directory)
    directory.journal.write_bytes(b"".join(kept[:4] + kept[5:]))


def bit_flipped(directory: LedgerDirectory) -> None:
    flip_bit(directory.journal)


def flip_bit(path: Path) -> None:
    """Flip one bit in the middle of a file, which then has another time of change, as coarse as these times are."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    before = path.stat().st_ctime_ns
    while path.stat().st_ctime_ns == before:
        path.write_bytes(data)


def foreign(directory: LedgerDirectory) -> None:
    directory.journal.write_bytes(b'{"trades": []}\n')


CASES: list[tuple[Damage, str]] = [
    (without_last, "1 entry is missing"),
    (half, "6 entries are missing"),
    (half_torn, "entries are missing"),
    (emptied, "12 entries are missing"),
    (removed, "the journal is missing"),
    (middle_dropped, "entry 5 at byte"),
    (bit_flipped, "is damaged: its hash"),
    (foreign, "no journal line"),
]
