"""The ledger under racing processes, some of them killed while they hold it: the cap is exact, no update is lost."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from support.child import finish, raced, start_child, start_together
from support.ledger_lab import command_ids, directory_of, make_ledger, most_open
from support.sample import scaled
from tc.durable import lock_holder, read_entries, verify_journal
from tc.store.derived_file import rebuild
from tc.store.derived_keeper import DerivedKeeper
from tc.store.ledger import PositionLedger
from tc.store.ledger_recovery import verify_ledger

PROCESSES = 8
CAP = 7


def race(runtime: Path, how: str, commits: int) -> tuple[dict[str, int], int]:
    """Return the seq that each acknowledged command was told, and how many counts of the checks were lost."""
    make_ledger(runtime).disconnect()
    (runtime / "counter").write_text("0")
    children = start_together(
        [("ledger_racer.py", how, runtime, f"p{number}", commits, CAP) for number in range(PROCESSES)]
    )
    lines = [line.split() for child in children for line in finish(child).splitlines()]
    checks = sum(int(line[1]) for line in lines if line[0] == "=")
    lost = checks - int((runtime / "counter").read_text() or 0)
    return {line[1]: int(line[2]) for line in lines if line[0] == "!"}, lost


def overlaps(runtime: Path) -> int:
    """Return how often a process entered the check while another was inside that came out of it alive."""
    events = [line.split() for line in (runtime / "inside").read_text().splitlines()]
    last = {pid: index for index, (_, pid) in enumerate(events)}
    inside, found = "", 0
    for index, (direction, pid) in enumerate(events):
        if direction == "+":
            found += inside != "" and last[inside] > index
            inside = pid
        elif pid == inside:
            inside = ""
    return found


def stored(path: Path) -> dict[str, int]:
    """Return the seq of each command in the ledger's raw entries."""
    return {entry.payload()["command_id"]: entry.seq for entry in read_entries(path) if entry.type != "TailRepaired"}


def closed(path: Path) -> int:
    """Return how many round trips the raw entries hold; each opens at 100 and closes at 101."""
    return sum(entry.payload()["side"] == "SELL" for entry in read_entries(path) if entry.type == "FillCommitted")


@pytest.mark.faults
@pytest.mark.timeout(300)
def test_cap_is_exact_over_eight_processes(tmp_path: Path) -> None:
    """Eight processes that open and close never hold more than seven positions, and no update is lost."""
    commits = scaled(40, 500)
    acknowledged, lost = race(tmp_path, "locked", commits)
    journal = directory_of(tmp_path).journal
    assert most_open(journal) == CAP
    assert (overlaps(tmp_path), lost) == (0, 0)
    for number in range(PROCESSES):
        assert sum(name.startswith(f"p{number}-") for name in acknowledged) >= commits
    assert stored(journal) == acknowledged | {"ledger-opened": 1, "capital": 2}
    assert len(command_ids(journal)) == len(acknowledged) + 2
    assert verify_ledger(directory_of(tmp_path)).problem is None
    with PositionLedger.load(directory_of(tmp_path)) as ledger:
        book = ledger.book()
    assert not book.rows
    assert book.equity.realized == 1000 + closed(journal) == 1000 + len(acknowledged) // 2


@pytest.mark.faults
@pytest.mark.timeout(120)
def test_naive_check_outside_the_lock_exceeds_the_cap(tmp_path: Path) -> None:
    """Looking at the book first and committing afterwards, the naive version, holds more than seven."""

    def outside(runtime: Path) -> tuple[int, int, int]:
        _, lost = race(runtime, "outside", 60)
        return most_open(directory_of(runtime).journal), overlaps(runtime), lost

    most, overlapping, lost = raced(tmp_path, outside, lambda found: found[0] > CAP and all(found))
    assert most > CAP
    assert overlapping > 0
    assert lost > 0


@pytest.mark.faults
@pytest.mark.timeout(900)
def test_killed_lock_holders_leave_an_exact_ledger(tmp_path: Path) -> None:
    """With the lock holder killed over and over the cap holds, and every acknowledged command is there once.

    A keeper beside it finds no loss at any time, and its files are those of the ledger in the end.
    """
    make_ledger(tmp_path).disconnect()
    (tmp_path / "counter").write_text("0")
    directory = directory_of(tmp_path)
    keeper = DerivedKeeper(directory)
    chance = random.Random(11)
    running: dict[int, tuple[str, subprocess.Popen[str]]] = {}
    started = kills = 0
    while kills < scaled(12, 200):
        for name in {f"p{number}" for number in range(PROCESSES)} - {name for name, _ in running.values()}:
            started += 1
            with (tmp_path / f"said-{started}").open("w") as output:
                child = start_child("ledger_racer.py", "locked", tmp_path, name, 10**9, CAP, stdout=output)
            assert child.stdin is not None
            child.stdin.write("\n")
            child.stdin.flush()
            running[child.pid] = (name, child)
        time.sleep(chance.uniform(0.05, 0.4))
        keeper.changed()
        cycle = keeper.tick()
        assert cycle is None or cycle.fault is None
        victim = stopped_holder(directory.lock, running)
        if victim is not None:
            _, child = running.pop(victim)
            child.kill()
            child.communicate()
            kills += 1
    for _, child in running.values():
        child.kill()
        child.communicate()
    said = [line.split() for n in range(1, started + 1) for line in (tmp_path / f"said-{n}").read_text().splitlines()]
    acknowledged = {line[1]: int(line[2]) for line in said if line[0] == "!" and len(line) == 3}
    with PositionLedger.load(directory) as ledger:  # repairs a torn tail
        book = ledger.book()
    found = stored(directory.journal)
    assert len(command_ids(directory.journal)) == len(found)
    assert acknowledged.items() <= found.items()
    assert len(acknowledged) > kills
    assert most_open(directory.journal) <= CAP
    assert overlaps(tmp_path) == 0
    assert book.equity.realized == 1000 + closed(directory.journal)
    assert verify_journal(directory.journal, anchor=directory.anchor)[2:] == (0, None)
    assert rebuild(directory).head.seq == max(found.values())
    assert not directory.safety_events.exists()


def stopped_holder(lock: Path, running: dict[int, tuple[str, subprocess.Popen[str]]]) -> int | None:
    """Stop the process that holds the lock and return its pid; None where it had let go before it stood still."""
    holder = lock_holder(lock)
    if holder is None or holder.pid not in running:
        return None
    _, child = running[holder.pid]
    child.send_signal(signal.SIGSTOP)
    os.waitpid(child.pid, os.WUNTRACED)
    holder = lock_holder(lock)
    if holder is not None and holder.pid == child.pid:
        return child.pid
    child.send_signal(signal.SIGCONT)
    return None
