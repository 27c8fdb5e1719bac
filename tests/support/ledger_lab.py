"""A ledger in a folder of the test, and what independent readings of it say."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

from tc.durable import read_entries
from tc.store.ledger import PositionLedger
from tc.store.ledger_directory import LedgerDirectory
from tc.store.ledger_projection import Committed

T0 = 1_700_000_000_000_000_000
SECOND = 1_000_000_000
DAY = 86_400 * SECOND
D = Decimal


def directory_of(runtime: Path, account: str = "A") -> LedgerDirectory:
    """Return the place of an account's ledger."""
    return LedgerDirectory(runtime / "ledger" / account, account)


def make_ledger(runtime: Path, *, capital: str = "1000", **options: object) -> PositionLedger:
    """Return a new ledger on disk with some capital."""
    ledger = PositionLedger.create(directory_of(runtime), "USDT", ts=T0, **options)  # type: ignore[arg-type]
    committed(ledger.deposit("capital", capital, ts=T0))
    return ledger


def memory_ledger(*, capital: str = "1000", **options: object) -> PositionLedger:
    """Return a new ledger in memory with some capital."""
    ledger = PositionLedger.in_memory("A", "USDT", ts=T0, **options)  # type: ignore[arg-type]
    committed(ledger.deposit("capital", capital, ts=T0))
    return ledger


def committed(outcome: object) -> Committed:
    """Return the outcome of a command that must not be refused."""
    assert isinstance(outcome, Committed), outcome
    return outcome


def most_open(path: Path) -> int:
    """Return the largest number of open positions, counted from the raw entries without the product's fold."""
    held: dict[tuple[str, str], Decimal] = {}
    most = 0
    for entry in read_entries(path):
        if entry.type == "FillCommitted":
            fill = json.loads(entry.data)
            key = (fill["instrument_id"], fill["strategy_id"])
            signed = Decimal(fill["quantity"]) * (1 if fill["side"] == "BUY" else -1)
            held[key] = held.get(key, Decimal(0)) + signed
            most = max(most, sum(quantity != 0 for quantity in held.values()))
    return most


def command_ids(path: Path) -> list[str]:
    """Return the command_id of every entry of a ledger."""
    return [entry.payload()["command_id"] for entry in read_entries(path) if entry.type != "TailRepaired"]
