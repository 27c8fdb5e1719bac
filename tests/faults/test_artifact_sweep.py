"""Whole-file writes struck at every system call: killed there, or the call failing once or for good."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from support import outcome
from support.capabilities import needs
from support.sample import sampled
from support.sweep import ERRORS, Point, find_points, strike, warm_up
from tc.durable import sweep_temporaries

pytestmark = [pytest.mark.faults, needs("strace")]

CHILD = "artifact_step.py"
OLD = b"old " * 500
NEW = b"new!" * 700
FOREIGN = {"neighbor.txt": b"not ours", ".tc-tmp-notes": b"named alike", "old.tmp": b"of somebody else"}


def prepare(folder: Path) -> Path:
    for name, content in FOREIGN.items():
        (folder / name).write_bytes(content)
    path = folder / "artifact"
    path.write_bytes(OLD)
    return path


def points_of(how: str, path: Path) -> list[Point]:
    warm_up(CHILD, how, path, NEW.decode())
    path.write_bytes(OLD)
    found = find_points(CHILD, how, path, NEW.decode())
    path.write_bytes(OLD)
    return found


def leftovers(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - set(FOREIGN) - {"artifact"}


def assert_foreign_untouched(folder: Path) -> None:
    assert {name: (folder / name).read_bytes() for name in FOREIGN} == FOREIGN


def test_kill_leaves_the_old_or_the_new_content(tmp_path: Path) -> None:
    """A writer killed at any system call leaves the old or the new content; what else it left is swept."""
    path = prepare(tmp_path)
    found = set()
    for point in points_of("write", path):
        path.write_bytes(OLD)
        assert strike(point, "SIGKILL", CHILD, "write", path, NEW.decode()).returncode == outcome.KILLED, point

        content = path.read_bytes()
        assert content in (OLD, NEW), point
        found.add(content)
        assert len(sweep_temporaries(tmp_path)) <= 1
        assert leftovers(tmp_path) == set(), point
        assert_foreign_untouched(tmp_path)
    assert found == {OLD, NEW}


def test_naive_overwrite_is_torn_by_a_kill(tmp_path: Path) -> None:
    """Writing in place, the naive version, leaves an empty file when killed: the sweep sees it."""
    path = prepare(tmp_path)
    found = set()
    for point in points_of("overwrite", path):
        path.write_bytes(OLD)
        strike(point, "SIGKILL", CHILD, "overwrite", path, NEW.decode())
        found.add(path.read_bytes())
    assert b"" in found


def errno_cases(found: list[Point]) -> list[tuple[Point, str, bool]]:
    cases = [(point, error, persistent) for point in found for error in ERRORS for persistent in (False, True)]
    # The interpreter repeats an interrupted call: interrupted for ever it would try for ever.
    return [case for case in cases if not (case[1] == "EINTR" and case[2])]


def test_errors_are_reported_as_what_they_are(tmp_path: Path) -> None:
    """NotWritten means old content and no leftovers, success means new, OutcomeUnknown means one of them."""
    path = prepare(tmp_path)
    seen = set()
    for point, error, persistent in sampled(errno_cases(points_of("write", path)), 45):
        path.write_bytes(OLD)
        done = strike(point, error, CHILD, "write", path, NEW.decode(), is_persistent=persistent)

        case = (str(point), error, persistent, done.stderr)
        content = path.read_bytes()
        seen.add(done.returncode)
        if done.returncode == outcome.NOT_WRITTEN:
            assert content == OLD, case
            assert leftovers(tmp_path) == set(), case
        elif done.returncode == outcome.SUCCESS:
            assert content == NEW, case
        else:
            assert done.returncode == outcome.OUTCOME_UNKNOWN, case
            assert content in (OLD, NEW), case
        sweep_temporaries(tmp_path)
        assert leftovers(tmp_path) == set(), case
        assert_foreign_untouched(tmp_path)
    assert seen >= {outcome.NOT_WRITTEN, outcome.OUTCOME_UNKNOWN}


def test_naive_overwrite_loses_both_on_a_full_disk(tmp_path: Path) -> None:
    """Writing in place, the naive version, leaves neither content when the disk is full."""
    path = prepare(tmp_path)
    found = set()
    for point in points_of("overwrite", path):
        path.write_bytes(OLD)
        strike(point, "ENOSPC", CHILD, "overwrite", path, NEW.decode(), is_persistent=True)
        found.add(path.read_bytes())
    assert found - {OLD, NEW}


def test_create_is_whole_or_absent(tmp_path: Path) -> None:
    """A creator struck at any system call leaves the whole new file or none, and never a half one."""
    path = prepare(tmp_path)
    path.unlink()
    warm_up(CHILD, "create", path, NEW.decode())
    path.unlink()
    found = find_points(CHILD, "create", path, NEW.decode())
    strikes = [(point, "SIGKILL") for point in found]
    strikes += sampled([(point, error) for point in found for error in ERRORS], 15)
    for point, fault in strikes:
        path.unlink(missing_ok=True)
        done = strike(point, fault, CHILD, "create", path, NEW.decode())

        content = path.read_bytes() if path.exists() else None
        if done.returncode == outcome.SUCCESS:
            assert content == NEW, (point, fault)
        elif done.returncode == outcome.NOT_WRITTEN:
            assert content is None, (point, fault)
        else:
            assert done.returncode in (outcome.KILLED, outcome.OUTCOME_UNKNOWN), (point, fault, done.stderr)
            assert content in (None, NEW), (point, fault)
        sweep_temporaries(tmp_path)
        assert leftovers(tmp_path) == set(), (point, fault)


def test_removed_tree_is_whole_or_gone(tmp_path: Path) -> None:
    """A tree whose removal is killed at any system call is whole under its name or gone from it."""

    def plant() -> Path:
        tree = tmp_path / "tree"
        (tree / "below").mkdir(parents=True, exist_ok=True)
        for name in ("one", "two", "below/three"):
            (tree / name).write_bytes(NEW)
        return tree

    tree = plant()
    warm_up(CHILD, "remove-tree", tree, "")
    found = find_points(CHILD, "remove-tree", plant(), "")
    for point in sampled(found, 12):
        plant()
        strike(point, "SIGKILL", CHILD, "remove-tree", tree, "")

        if tree.exists():
            assert sorted(path.name for path in tree.rglob("*")) == ["below", "one", "three", "two"], point
        sweep_temporaries(tmp_path)
        assert {path.name for path in tmp_path.iterdir()} <= {"tree"}, point


def test_created_tree_is_whole_or_absent(tmp_path: Path) -> None:
    """A maker of a tree struck at any system call leaves all of it or nothing, and says which."""
    tree = tmp_path / "tree"
    warm_up(CHILD, "create-tree", tmp_path / "warm", "x")
    found = find_points(CHILD, "create-tree", tmp_path / "count", "x")
    strikes = [(point, "SIGKILL") for point in found]
    strikes += sampled([(point, error) for point in found for error in ERRORS], 20)
    for point, fault in strikes:
        if tree.exists():
            shutil.rmtree(tree)
        done = strike(point, fault, CHILD, "create-tree", tree, "x")

        is_there = tree.exists()
        assert not is_there or sorted(path.name for path in tree.iterdir()) == ["one", "two"], (point, fault)
        if done.returncode == outcome.SUCCESS:
            assert is_there, (point, fault)
        elif done.returncode == outcome.NOT_WRITTEN:
            assert not is_there, (point, fault)
        else:
            assert done.returncode in (outcome.KILLED, outcome.OUTCOME_UNKNOWN), (point, fault, done.stderr)
        sweep_temporaries(tmp_path)
        assert {path.name for path in tmp_path.iterdir()} <= {"tree", "warm", "count"}, (point, fault)


def test_naive_tree_is_left_half_made(tmp_path: Path) -> None:
    """Making the directory first, the naive version, leaves it empty when killed: the sweep sees it."""
    warm_up(CHILD, "naive-tree", tmp_path / "warm", "x")
    found = set()
    for number, point in enumerate(find_points(CHILD, "naive-tree", tmp_path / "count", "x")):
        tree = tmp_path / f"tree-{number}"
        strike(point, "SIGKILL", CHILD, "naive-tree", tree, "x")
        if tree.exists():
            found.add(len(list(tree.iterdir())))
    assert 0 in found


def test_directories_are_made_or_not(tmp_path: Path) -> None:
    """A maker of nested directories struck at any system call reports what is there."""
    warm_up(CHILD, "make", tmp_path / "warm", "")
    found = find_points(CHILD, "make", tmp_path / "count", "")
    cases = [(point, fault) for point in found for fault in ("SIGKILL", *ERRORS)]
    for number, (point, fault) in enumerate(sampled(cases, 20)):
        base = tmp_path / f"case-{number}"
        done = strike(point, fault, CHILD, "make", base, "")

        is_there = (base / "one" / "two").is_dir()
        if done.returncode == outcome.SUCCESS:
            assert is_there, (point, fault)
        elif done.returncode == outcome.NOT_WRITTEN:
            assert not is_there, (point, fault)
        else:
            assert done.returncode in (outcome.KILLED, outcome.OUTCOME_UNKNOWN), (point, fault, done.stderr)
