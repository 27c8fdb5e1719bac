"""Archiving with removal struck at every system call: no evidence is ever lost, and the same command finishes it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from support import outcome
from support.capabilities import needs
from support.child import run_child
from support.sample import sampled
from support.sealed_run import make_sealed_run
from support.sweep import find_points, strike, warm_up
from tc.durable import unprotect_tree
from tc.errors import TcError
from tc.evidence.archive import check_archive
from tc.evidence.manifest import check_manifest
from tc.runs.archive import archive_runs
from tc.store.roots import Roots
from tc.store.run_directory import RunDirectory

pytestmark = [pytest.mark.faults, needs("strace")]

CHILD = "archive_step.py"
RUNS = ("one", "two")


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """Return a root with two sealed runs, kept as they were under `kept`."""
    for number, run_id in enumerate(RUNS):
        make_sealed_run(tmp_path / "kept", run_id, entries=20, uuid_base=100 * number)
    return tmp_path


def fresh(world: Path) -> tuple[Path, Roots, Path]:
    """Return a new copy of the root, its roots and where the archive is to go."""
    root = world / "root"
    if root.exists():
        unprotect_tree(root)
        shutil.rmtree(root)
    shutil.copytree(world / "kept", root)
    return root, Roots.of(root / "artifacts", root / "runtime"), root / "artifacts/archives/both.tar.gz"


def is_archived(roots: Roots, archive: Path, run_id: str) -> bool:
    """Whether the archive is whole and holds the run; its digest file may be owed still."""
    try:
        check = check_archive(archive, roots.anchors)
    except TcError:
        return False
    return run_id in check.runs and all(finding.file.endswith(".sha256") for finding in check.findings)


def is_on_disk(roots: Roots, run_id: str) -> bool:
    """Whether the run is there, to the byte; its anchor goes nowhere."""
    run = RunDirectory(roots, run_id)
    return run.path.is_dir() and check_manifest(run) == []


def test_killed_archiving_loses_nothing_and_is_finished_by_the_same_command(world: Path) -> None:
    """Killed at any system call, every run is whole in its place or in a whole archive; a second call finishes."""
    root, roots, archive = fresh(world)
    warm_up(CHILD, "archive", root, archive)
    root, roots, archive = fresh(world)
    points = find_points(CHILD, "archive", root, archive)
    seen = set()
    for point in sampled(points, 40):
        root, roots, archive = fresh(world)
        assert strike(point, "SIGKILL", CHILD, "archive", root, archive).returncode == outcome.KILLED, point

        state = tuple((is_on_disk(roots, run_id), is_archived(roots, archive, run_id)) for run_id in RUNS)
        assert all(any(places) for places in state), (point, state)
        seen.add(state)
        done = run_child(CHILD, "archive", root, archive)
        assert done.returncode == 0, (point, done.stderr)
        check = check_archive(archive, roots.anchors)
        assert (sorted(check.runs), check.findings) == (list(RUNS), []), point
        assert not any(RunDirectory(roots, run_id).path.exists() for run_id in RUNS), point
    assert len(seen) >= 3, "before the archive, with it, after a removal"


def test_errors_leave_every_run_somewhere(world: Path) -> None:
    """A failing system call, once or for good, never leaves a run neither in its place nor in a whole archive."""
    root, roots, archive = fresh(world)
    warm_up(CHILD, "archive", root, archive)
    root, roots, archive = fresh(world)
    points = find_points(CHILD, "archive", root, archive)
    cases = [(point, error, persistent) for point in points for error in ("ENOSPC", "EIO") for persistent in (0, 1)]
    for point, error, persistent in sampled(cases, 30):
        root, roots, archive = fresh(world)
        strike(point, error, CHILD, "archive", root, archive, is_persistent=bool(persistent))
        for run_id in RUNS:
            is_whole = is_on_disk(roots, run_id) or is_archived(roots, archive, run_id)
            # Half made writable or not, a run in its place has all its files.
            assert is_whole, (point, error, persistent, run_id)


def test_killed_unpacking_is_whole_or_absent(world: Path) -> None:
    """Killed at any system call, unpacking leaves each run whole or not there, and the same command finishes it."""
    root, roots, archive = fresh(world)
    archive_runs(roots, list(RUNS), archive, remove=True)
    shutil.rmtree(world / "packed", ignore_errors=True)
    shutil.copytree(root, world / "packed")
    warm_up(CHILD, "unarchive", root, archive)

    def packed() -> None:
        unprotect_tree(root)
        shutil.rmtree(root)
        shutil.copytree(world / "packed", root)

    packed()
    for point in sampled(find_points(CHILD, "unarchive", root, archive), 30):
        packed()
        assert strike(point, "SIGKILL", CHILD, "unarchive", root, archive).returncode == outcome.KILLED, point
        for run_id in RUNS:
            run = RunDirectory(roots, run_id)
            assert not run.path.exists() or check_manifest(run) == [], point
        assert run_child(CHILD, "unarchive", root, archive).returncode == 0, point
        assert [check_manifest(RunDirectory(roots, run_id)) for run_id in RUNS] == [[], []], point


def test_naive_archiving_loses_a_run(world: Path) -> None:
    """Packing under the final name and removing as one goes, the naive version, loses a run: the sweep sees it."""
    root, roots, archive = fresh(world)
    warm_up(CHILD, "naive", root, archive)
    root, roots, archive = fresh(world)
    points = find_points(CHILD, "naive", root, archive)
    for point in points[len(points) // 2 :]:  # by then something was removed
        root, roots, archive = fresh(world)
        strike(point, "SIGKILL", CHILD, "naive", root, archive)
        if not all(is_on_disk(roots, run_id) or _lists(archive, run_id) for run_id in RUNS):
            return
    pytest.fail("the naive version lost nothing")


def _lists(archive: Path, run_id: str) -> bool:
    import tarfile

    try:
        with tarfile.open(archive) as tar:
            return f"runs/{run_id}/manifest.json" in tar.getnames()
    except (tarfile.TarError, EOFError, OSError):
        return False
