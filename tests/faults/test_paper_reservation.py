"""An order leaves once its run's journal has it: what a power cut takes of the ledger is made anew from there."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from nautilus_trader.model.enums import OmsType

from support.gate_desk import FLAT, bracket, run_desk
from support.gate_lab import World, limited_spec
from support.ledger_lab import directory_of, make_ledger
from support.paper_lab import Paper
from support.venue_process import until
from tc.durable import read_entries
from tc.runs.paper_recovery import resume_paper
from tc.store.ledger import PositionLedger
from tc.store.ledger_directory import LedgerDirectory
from tc.store.ledger_reading import read_state
from tc.store.ledger_storage import ORDER_PATH_TIMEOUT_S

RESERVED, RELEASED, FILLED = "RiskReserved", "ReservationReleased", "FillCommitted"


def kinds(ledger: LedgerDirectory) -> list[str]:
    """Return what was reserved, released and filled, in order."""
    return [entry.type for entry in read_entries(ledger.journal) if entry.type in (RESERVED, RELEASED, FILLED)]


def cut_from(ledger: LedgerDirectory, kind: str) -> None:
    """Take the last entry of a kind and all that follow it, as a power cut takes what was not synced."""
    lines = ledger.journal.read_bytes().splitlines(keepends=True)
    at = max(number for number, line in enumerate(lines) if f'"type":"{kind}"'.encode() in line)
    ledger.journal.write_bytes(b"".join(lines[:at]))


@pytest.mark.whole_run
def test_a_working_order_whose_reservation_is_lost_is_reserved_again_on_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ledger that lost its tail reserves the order once more, and so has something to release at its end."""
    paper = Paper(tmp_path, "10m")
    for name, value in paper.environment.items():
        monkeypatch.setenv(name, value)
    script = tmp_path / "script"
    script.write_text("rest\n")
    paper.trade("told.py:Told", f'script: "{script}"', 300)
    process = paper.start()
    paper.until_entries(1)  # the first start of a run is the slow one
    until(lambda: paper.counts_if_any().get("OrderAccepted"), "no order rests")
    paper.kill_all(process)
    ledger = LedgerDirectory.of(paper.roots, "paper")
    until(lambda: kinds(ledger) == [RESERVED], "nothing is reserved")
    cut_from(ledger, RESERVED)

    end = resume_paper(paper.roots, "paper", lambda _fact: None, is_closing=True)
    assert end.result is not None
    assert end.result.reconciliation["verdict"] == "matched"
    assert kinds(ledger) == [RESERVED, RELEASED]
    assert not read_state(ledger).reservations


def opened(ledger: LedgerDirectory) -> Any:
    """Return how a world opens the ledger on disk."""
    return lambda rules: {"USDT": PositionLedger.load(ledger, rules=rules, timeout_s=ORDER_PATH_TIMEOUT_S)}


def test_only_what_the_ledger_does_not_know_is_reserved_again_with_its_stop(tmp_path: Path) -> None:
    """Entry, stop and target of a bracket are reserved as they were; what the ledger knows, and what ended, is not."""
    make_ledger(tmp_path, capital="1000000").disconnect()
    ledger = directory_of(tmp_path)
    kept: list[Any] = []
    _, before = run_desk(
        limited_spec({}), FLAT, {3: lambda strategy, _: kept.extend(bracket(strategy, "2", 39_000))},
        open_ledgers=opened(ledger),
    )  # fmt: skip
    assert before.kernel.cache.positions_open()
    working = dict(read_state(ledger).reservations)
    assert len(working) == 2, "the entry is filled, stop and target work"
    (position,) = before.kernel.cache.positions_open()
    cut_from(ledger, RESERVED)  # the target's; with it goes the fill

    seen: list[Any] = []

    def restart(world: World) -> None:
        for order in kept:
            world.kernel.cache.add_order(order)
        world.kernel.cache.add_position(position, OmsType.NETTING)
        for _ in range(2):
            world.parts.books.reserve_again(1)
        seen.append(dict(world.parts.ledgers["USDT"].last_seen(1).reservations))

    _, after = run_desk(limited_spec({}), FLAT[:2], before=restart, open_ledgers=opened(ledger))
    after.parts.ledgers["USDT"].disconnect()
    (found,) = seen
    assert {name: (one.side, one.quantity, one.price) for name, one in found.items() if name in working} == {
        name: (one.side, one.quantity, one.price) for name, one in working.items()
    }
    assert found[kept[0].client_order_id.value].stop == Decimal(39_000)
    assert kinds(ledger).count(RESERVED) == 3
