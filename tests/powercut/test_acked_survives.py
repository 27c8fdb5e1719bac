"""Power cuts on real file systems: what was acknowledged is there afterwards, whole."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.capabilities import needs
from support.child import start_child
from support.loop_disk import DROP_ALL, KEEP_LOG, LoopDisk, loop_disk
from support.mounts import sync
from support.sample import scaled
from tc.durable import (
    Journal,
    create_artifact,
    create_tree,
    make_directory,
    read_artifact,
    read_entries,
    remove_artifact,
    remove_tree,
    tail_entries,
    verify_journal,
    write_artifact,
)

pytestmark = [pytest.mark.powercut, needs("ext4", "xfs")]

OLD = b"old " * 2000
NEW = b"new!" * 3000


@pytest.fixture(params=["ext4", "xfs"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LoopDisk]:
    with loop_disk(tmp_path, request.param) as made:
        yield made


@pytest.mark.parametrize("how", [DROP_ALL, KEEP_LOG], ids=["drop-all", "keep-log"])
def test_what_returned_survives(disk: LoopDisk, how: int) -> None:
    """After a power cut every operation that had returned is there: content, names, removals, entries."""
    root = disk.root
    for name in ("replaced", "removed"):
        write_artifact(root / name, OLD)
    make_directory(root / "tree" / "below")
    sync(root)

    write_artifact(root / "replaced", NEW)
    create_artifact(root / "created", NEW)
    create_tree(root / "one", {"two": NEW})
    remove_artifact(root / "removed")
    remove_tree(root / "tree")
    journal = Journal.create(root / "one" / "journal")
    for ts in range(50):
        journal.append("Event", ts, {"text": "x" * 300})
    journal.write_anchor(root / "anchor")
    journal.add("Unacknowledged", 99, {})
    journal.flush()
    os.close(journal._descriptor)
    disk.cut_power(how)
    disk.restore_power()

    assert read_artifact(root / "replaced") == NEW
    assert read_artifact(root / "created") == NEW
    assert read_artifact(root / "one" / "two") == NEW
    assert not (root / "removed").exists()
    assert not (root / "tree").exists()
    Journal.open(root / "one" / "journal", anchor=root / "anchor").close()
    assert [entry.ts for entry in read_entries(root / "one" / "journal")][:50] == list(range(50))


@pytest.mark.parametrize("how", [DROP_ALL, KEEP_LOG], ids=["drop-all", "keep-log"])
def test_naive_versions_do_not_survive(disk: LoopDisk, how: int) -> None:
    """A replaced file that was not synced and lines that were not synced are lost: the cut is a real one."""
    root = disk.root
    (root / "lines").write_bytes(b"")
    sync(root)
    (root / "new.tmp").write_bytes(NEW)
    os.rename(root / "new.tmp", root / "new")
    with (root / "lines").open("ab") as file:
        for _ in range(500):
            file.write(b"a line of the naive journal\n")
    disk.cut_power(how)
    disk.restore_power()

    assert not (root / "new").exists() or (root / "new").read_bytes() != NEW
    assert (root / "lines").read_bytes().count(b"naive") < 500


def cut_while_writing(disk: LoopDisk, folder: Path, how: str, after_s: float, name: str) -> tuple[set[str], set[str]]:
    """Cut the power under a running writer; return the ids it was acknowledged and those it tried."""
    said = folder / f"said-{name}"
    with said.open("w") as output:
        child = start_child("journal_writer.py", how, disk.root / "journal", name, stdout=output)
    assert child.stdin is not None
    child.stdin.write("\n")
    child.stdin.flush()
    while not said.read_text().count("!"):
        time.sleep(0.001)
    time.sleep(after_s)
    # What is said from here on does not count: a sync that meets the shutdown half-way may call it a success,
    # while after a real cut there is nobody left to say so.
    before_the_cut = said.read_text()
    disk.cut_power(DROP_ALL)
    child.kill()
    child.communicate()
    disk.restore_power()
    acknowledged = {line[2:] for line in before_the_cut.splitlines(keepends=True) if line.startswith("!")}
    attempted = {line[2:] for line in said.read_text().splitlines() if line.startswith("?")}
    return {line.strip() for line in acknowledged if line.endswith("\n")}, attempted


@pytest.mark.timeout(180)
def test_random_cuts_lose_no_acknowledged_entry(disk: LoopDisk, tmp_path: Path) -> None:
    """Cut at random moments under a running writer, the journal keeps every acknowledged entry and opens."""
    path = disk.root / "journal"
    Journal.create(path).close()
    chance = random.Random(11)
    ever: set[str] = set()
    for cut in range(scaled(4, 25)):
        acknowledged, attempted = cut_while_writing(disk, tmp_path, "alone", chance.uniform(0, 0.3), f"c{cut}")
        ever |= acknowledged
        Journal.open(path).close()
        assert verify_journal(path).problem is None
        present = [e.payload()["command_id"] for e in read_entries(path) if e.type == "Event"]
        assert len(present) == len(set(present))
        assert ever <= set(present), f"lost {sorted(ever - set(present))}"
        assert {one for one in present if one.startswith(f"c{cut}-")} <= attempted
    assert len(ever) > scaled(4, 25)


def test_naive_writer_loses_acknowledged_lines(disk: LoopDisk, tmp_path: Path) -> None:
    """A writer that does not sync, the naive version, loses lines that it had called written."""
    (disk.root / "journal").write_bytes(b"")
    sync(disk.root)
    acknowledged, _ = cut_while_writing(disk, tmp_path, "naive", 0.2, "n")
    present = {line.split()[0] for line in (disk.root / "journal").read_text(errors="replace").splitlines() if line}
    assert acknowledged - present


def test_cut_during_a_repair_is_repaired(disk: LoopDisk) -> None:
    """The power going right after a repair finds the repair done and told; the journal goes on."""
    path = disk.root / "journal"
    with Journal.create(path) as journal:
        journal.append("Event", 1, {})
    with path.open("ab") as file:
        file.write(b'{"seq":2,"ts":')
    sync(disk.root)
    journal = Journal.open(path)
    os.close(journal._descriptor)
    disk.cut_power(DROP_ALL)
    disk.restore_power()
    assert [entry.type for entry in tail_entries(path, 2)] == ["Event", "TailRepaired"]
    assert (disk.root / "journal.torn-2").read_bytes() == b'{"seq":2,"ts":'
