"""All crash states that a weak file system could show, from recorded system calls: no root, no disk."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.capabilities import needs
from support.crash_states import Directory, all_states, last_states, record
from support.sweep import record_calls, warm_up
from tc.durable import Journal, read_entries, tail_entries, verify_journal

pytestmark = [pytest.mark.faults, needs("strace")]

OLD = b"old " * 100
NEW = b"new!" * 120


Contents = set[bytes | None]


def contents_after(tmp_path: Path, how: str, initial: Directory) -> tuple[Contents, Contents]:
    """Return what the artifact may hold at any point and after the acknowledgment; None if it is missing."""
    path = tmp_path / "artifact"

    def reset() -> None:
        path.unlink(missing_ok=True)
        for name, data in initial.items():
            (tmp_path / name).write_bytes(data)

    reset()
    warm_up("artifact_step.py", how, path, NEW.decode())
    reset()
    recording = record(record_calls("artifact_step.py", how, path, NEW.decode()), str(tmp_path), initial)
    at_any_point = {state.get("artifact") for state in all_states(recording, initial)}
    after = {state.get("artifact") for state in last_states(recording, initial)}
    return at_any_point, after


def test_replacing_shows_old_or_new_and_after_the_acknowledgment_new(tmp_path: Path) -> None:
    """A power cut at any point of a write shows the old or the new content; after its return only the new."""
    assert contents_after(tmp_path, "write", {"artifact": OLD}) == ({OLD, NEW}, {NEW})


@pytest.mark.parametrize("how", ["write", "create"])
def test_new_file_is_missing_or_whole(tmp_path: Path, how: str) -> None:
    """A power cut at any point of the first write shows no file or the whole; after its return the whole."""
    assert contents_after(tmp_path, how, {}) == ({None, NEW}, {NEW})


def test_removed_file_stays_removed(tmp_path: Path) -> None:
    """After a removal returned no power cut brings the file back."""
    assert contents_after(tmp_path, "remove", {"artifact": OLD}) == ({OLD, None}, {None})


@pytest.mark.parametrize("how", ["overwrite", "replace"])
def test_naive_writes_show_empty_and_torn_content(tmp_path: Path, how: str) -> None:
    """Writing in place and renaming unsynced, the naive versions, may be empty, half or old afterwards."""
    _, after = contents_after(tmp_path, how, {"artifact": OLD})
    assert after >= {OLD, NEW, b"", NEW[: len(NEW) // 2]}


def test_order_of_the_protocol(tmp_path: Path) -> None:
    """A new temporary file is written, synced and renamed, then the directory is synced: in this order."""
    path = tmp_path / "artifact"
    warm_up("artifact_step.py", "write", path, "data")
    calls = record_calls("artifact_step.py", "write", path, "data")
    kinds = [
        (r"openat\(.*tc-tmp.*O_EXCL", "create"),
        (r"write\(\d+<.*tc-tmp", "write"),
        (r"fsync\(\d+<.*tc-tmp", "sync file"),
        (r"rename\(", "rename"),
        (rf"fsync\(\d+<{re.escape(str(tmp_path))}>", "sync directory"),
    ]
    order = [name for line in calls for pattern, name in kinds if re.match(pattern, line)]
    assert order == ["create", "write", "sync file", "rename", "sync directory"]
    assert sum("sync(" in line for line in calls) == 2


@pytest.mark.parametrize(
    ("program", "how", "expected"),
    [
        (
            "artifact_step.py",
            "make",
            [r'mkdir\("{}/new"', r"fsync\(\d+<{}>", r'mkdir\("{}/new/one"', r"fsync\(\d+<{}/new>",
             r'mkdir\("{}/new/one/two"', r"fsync\(\d+<{}/new/one>"],
        ),
        ("artifact_step.py", "remove-tree", [r'rename\("{}/new"', r"fsync\(\d+<{}>", r'rmdir\("']),
        ("journal_step.py", "create", [r'openat\(.*"{}/new", .*O_EXCL', r"fsync\(\d+<{}>"]),
    ],
    ids=["make", "remove-tree", "create-journal"],
)  # fmt: skip
def test_every_name_is_synced_before_it_counts(tmp_path: Path, program: str, how: str, expected: list[str]) -> None:
    """A name that appears or goes is followed by a sync of its directory before anything is built on it."""
    new = tmp_path / "new"

    def reset() -> None:
        shutil.rmtree(new, ignore_errors=True)
        new.unlink(missing_ok=True)
        if how == "remove-tree":
            new.mkdir()

    reset()
    warm_up(program, how, new, "-")
    reset()
    patterns = [pattern.format(re.escape(str(tmp_path))) for pattern in expected]
    calls = record_calls(program, how, new, "-")
    assert [pattern for line in calls for pattern in patterns if re.match(pattern, line)] == patterns


def journal_states(tmp_path: Path, how: str, tail: bytes) -> tuple[list[Directory], list[Directory], bytes]:
    folder = tmp_path / "recorded"
    folder.mkdir()
    path = folder / "journal"
    with Journal.create(path) as journal:
        for ts in (1, 2, 3):
            journal.append("Prepared", ts, {})
    whole = path.read_bytes()
    for run in (warm_up, record_calls):
        for other in folder.iterdir():
            other.unlink()
        path.write_bytes(whole + tail)
        lines = run("journal_step.py", how, path)
    recording = record(lines or [], str(folder), {"journal": whole + tail})
    initial = {"journal": whole + tail}
    return list(all_states(recording, initial)), list(last_states(recording, initial)), whole


def materialized(tmp_path: Path, states: list[Directory]) -> Iterator[Path]:
    folder = tmp_path / "state"
    for state in {tuple(sorted(state.items())): state for state in states}.values():
        folder.mkdir()
        for name, data in state.items():
            (folder / name).write_bytes(data)
        yield folder / "journal"
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()


def test_append_is_there_after_its_acknowledgment(tmp_path: Path) -> None:
    """A power cut during an append leaves a valid journal with or without it, afterwards always with it."""
    states, after, whole = journal_states(tmp_path, "append", b"")
    for path in materialized(tmp_path, states):
        assert path.read_bytes().startswith(whole)
        check = verify_journal(path)
        assert check.problem is None
        assert check.entries in (3, 4)
        Journal.open(path).close()
    for path in materialized(tmp_path, after):
        assert verify_journal(path)[::2] == (4, 0)


def test_repair_survives_a_power_cut_at_any_point(tmp_path: Path) -> None:
    """A power cut during a repair leaves a journal that the next open repairs, with the evidence kept."""
    torn = b'{"seq":4,"ts":4,"type":"Torn","prev":"' + b"longer than the entry about it " * 30
    states, after, whole = journal_states(tmp_path, "repair", torn)
    count = 0
    for path in materialized(tmp_path, states):
        Journal.open(path).close()
        count += 1
        assert path.read_bytes().startswith(whole)
        repairs = [entry for entry in read_entries(path) if entry.type == "TailRepaired"]
        assert [entry.seq for entry in repairs][:1] == [4]
        assert (path.parent / "journal.torn-4").read_bytes() == torn
    assert count > 5
    for path in materialized(tmp_path, after):
        assert [entry.type for entry in tail_entries(path, 1)] == ["TailRepaired"]
