"""The ledger under racing processes, some of them killed while they hold it: the cap is exact, no update is lost."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest

from support.child import finish, start_child, start_together
from support.ledger_lab import command_ids, directory_of, make_ledger, most_open
from support.sample import scaled
from tc.durable import lock_holder, verify_journal
from tc.store.ledger import PositionLedger
from tc.store.ledger_recovery import verify_ledger

PROCESSES = 8
CAP = 7


def race(runtime: Path, how: str, commits: int) -> tuple[list[str], int, int]:
    """Return the acknowledged ids, how often two were in the check at once, and how many counts were lost."""
    make_ledger(runtime).disconnect()
    (runtime / "counter").write_text("0")
    children = start_together(
        [("ledger_racer.py", how, runtime, f"p{number}", commits, CAP) for number in range(PROCESSES)]
    )
    lines = [line.split() for child in children for line in finish(child).splitlines()]
    checks = sum(int(line[1]) for line in lines if line[0] == "=")
    violations = sum(int(line[2]) for line in lines if line[0] == "=")
    lost = checks - int((runtime / "counter").read_text() or 0)
    return [line[1] for line in lines if line[0] == "!"], violations, lost


@pytest.mark.faults
@pytest.mark.timeout(300)
def test_cap_is_exact_over_eight_processes(tmp_path: Path) -> None:
    """Eight processes that open and close never hold more than seven positions, and no update is lost."""
    commits = scaled(40, 500)
    acknowledged, violations, lost = race(tmp_path, "locked", commits)
    journal = directory_of(tmp_path).journal
    assert most_open(journal) == CAP
    assert (violations, lost) == (0, 0)
    assert len(acknowledged) >= PROCESSES * commits
    assert sorted(command_ids(journal)) == sorted([*acknowledged, "ledger-opened", "capital"])
    assert verify_ledger(directory_of(tmp_path)).problem is None
    with PositionLedger.load(directory_of(tmp_path)) as ledger:
        book = ledger.book()
    assert not book.rows
    assert book.equity.realized == 1000 + len(acknowledged) // 2


@pytest.mark.faults
@pytest.mark.timeout(120)
def test_naive_check_outside_the_lock_exceeds_the_cap(tmp_path: Path) -> None:
    """Looking at the book first and committing afterwards, the naive version, holds more than seven."""
    _, violations, lost = race(tmp_path, "outside", 60)
    assert most_open(directory_of(tmp_path).journal) > CAP
    assert violations + lost > 0


@pytest.mark.faults
@pytest.mark.timeout(600)
def test_killed_lock_holders_leave_an_exact_ledger(tmp_path: Path) -> None:
    """With the lock holder killed over and over the cap holds, and every acknowledged command is there once."""
    make_ledger(tmp_path).disconnect()
    (tmp_path / "counter").write_text("0")
    directory = directory_of(tmp_path)
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
        holder = lock_holder(directory.lock)
        if holder is None or holder.pid not in running:
            continue
        with suppress(ProcessLookupError):
            _, victim = running.pop(holder.pid)
            victim.send_signal(signal.SIGKILL)
            victim.communicate()
            kills += 1
    for _, child in running.values():
        child.kill()
        child.communicate()
    said = [line.split() for n in range(1, started + 1) for line in (tmp_path / f"said-{n}").read_text().splitlines()]
    acknowledged = {line[1] for line in said if line[0] == "!" and len(line) == 2}
    PositionLedger.load(directory).disconnect()  # repairs a torn tail
    ids = command_ids(directory.journal)
    assert len(ids) == len(set(ids))
    assert acknowledged <= set(ids)
    assert len(acknowledged) > kills
    assert most_open(directory.journal) <= CAP
    assert verify_journal(directory.journal, anchor=directory.anchor)[2:] == (0, None)
