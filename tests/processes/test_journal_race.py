"""Processes appending to one shared journal, readers following it, writers killed at random."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from support.child import finish, raced, start_child, start_together
from support.sample import scaled
from tc.durable import Journal, JournalReader, read_entries, verify_journal

PROCESSES = 8
CAP = 50


def cap_race(path: Path, how: str, tries: int) -> tuple[list[str], list[str]]:
    """Return the ids that were acknowledged to the racers and those in the journal."""
    Journal.create(path).close()
    children = start_together([("cap_racer.py", how, path, CAP, tries, f"p{number}") for number in range(PROCESSES)])
    granted = [line for child in children for line in finish(child).split()]
    return granted, [entry.payload()["command_id"] for entry in read_entries(path)]


def test_cap_is_exact_under_racing_processes(tmp_path: Path) -> None:
    """Checking and appending under one lock grants exactly the cap, each grant once in a valid journal."""
    granted, journalled = cap_race(tmp_path / "journal", "locked", 20)
    assert len(granted) == CAP
    assert sorted(granted) == sorted(journalled)
    assert len(set(journalled)) == CAP
    assert verify_journal(tmp_path / "journal").problem is None


def test_naive_check_outside_the_lock_exceeds_the_cap(tmp_path: Path) -> None:
    """Checking before taking the lock, the naive version, grants more than the cap."""
    granted, _ = raced(
        tmp_path, lambda folder: cap_race(folder / "journal", "outside", 20), lambda found: len(found[0]) > CAP
    )
    assert len(granted) > CAP


def test_follower_never_sees_a_part(tmp_path: Path) -> None:
    """A reader that follows eight writers live reads a gapless chain and never a partial line."""
    path = tmp_path / "journal"
    Journal.create(path).close()
    children = start_together([("cap_racer.py", "locked", path, 160, 20, f"p{n}") for n in range(PROCESSES)])
    seqs: list[int] = []
    with JournalReader(path) as reader:
        while len(seqs) < 160:
            seqs += [entry.seq for entry in reader.entries()]
    for child in children:
        finish(child)
    assert seqs == list(range(1, 161))


@pytest.mark.timeout(150)
def test_killed_writers_lose_nothing_acknowledged(tmp_path: Path) -> None:
    """Of writers killed at random under load, all that was acknowledged is in the journal, nothing else."""
    path = tmp_path / "journal"
    Journal.create(path).close()
    chance = random.Random(7)
    said: list[str] = []
    running: list[subprocess.Popen[str]] = []
    count = 0
    deadline: float | None = None  # once the first was acknowledged something
    while deadline is None or time.monotonic() < deadline:
        while len(running) < 4:
            count += 1
            with (tmp_path / f"said-{count}").open("w") as output:
                child = start_child("journal_writer.py", "shared", path, f"w{count}", stdout=output)
            assert child.stdin is not None
            child.stdin.write("\n")
            child.stdin.flush()
            running.append(child)
        if deadline is None:
            if not any("!" in path.read_text() for path in tmp_path.glob("said-*")):
                time.sleep(0.05)
                continue
            deadline = time.monotonic() + scaled(5, 60)
        time.sleep(chance.uniform(0.02, 0.3))
        victim = running.pop(chance.randrange(len(running)))
        victim.send_signal(signal.SIGKILL)
        victim.communicate()
    for child in running:
        child.kill()
        child.communicate()
    for number in range(1, count + 1):
        said += (tmp_path / f"said-{number}").read_text().splitlines()
    acknowledged = {line[2:] for line in said if line.startswith("!")}
    attempted = {line[2:] for line in said if line.startswith("?")}
    Journal.open(path).close()
    assert verify_journal(path)[2:] == (0, None)
    events = [json.loads(entry.data)["command_id"] for entry in read_entries(path) if entry.type == "Event"]
    assert len(events) == len(set(events))
    assert acknowledged <= set(events) <= attempted
    assert acknowledged
