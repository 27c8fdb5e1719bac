"""Journal operations struck at every system call: killed there, or the call failing once or for good."""

from __future__ import annotations

from pathlib import Path

import pytest

from support import outcome
from support.capabilities import needs
from support.sample import sampled
from support.sweep import ERRORS, Point, find_points, strike, warm_up
from tc.durable import Journal, read_anchor, read_entries, verify_journal

pytestmark = [pytest.mark.faults, needs("strace")]

CHILD = "journal_step.py"
TORN = b'{"seq":4,"ts":4,"type":"Appended","prev":"'


class Bench:
    """A journal of three entries that is put back before every strike."""

    def __init__(self, folder: Path, how: str, *, tail: bytes = b"") -> None:
        self.folder = folder
        self.how = how
        self.path = folder / "journal.jsonl"
        with Journal.create(self.path) as journal:
            for ts in (1, 2, 3):
                journal.append("Prepared", ts, {"text": "y" * 100})
        self.old = self.path.read_bytes()
        self.content = self.old + tail
        self.reset()

    def reset(self) -> None:
        for path in self.folder.iterdir():
            path.unlink()
        self.path.write_bytes(self.content)

    def points(self) -> list[Point]:
        warm_up(CHILD, self.how, self.path)
        self.reset()
        return find_points(CHILD, self.how, self.path)

    def strike(self, point: Point, fault: str, *, is_persistent: bool = False) -> int:
        self.reset()
        done = strike(point, fault, CHILD, self.how, self.path, is_persistent=is_persistent)
        assert done.returncode in (
            outcome.SUCCESS,
            outcome.KILLED,
            outcome.NOT_WRITTEN,
            outcome.OUTCOME_UNKNOWN,
            outcome.STORAGE_ERROR,
        ), (str(point), fault, is_persistent, done.stderr)
        self.output = done.stdout
        return done.returncode

    def types(self) -> list[str]:
        return [entry.type for entry in read_entries(self.path)]


def errno_cases(points: list[Point]) -> list[tuple[Point, str, bool]]:
    cases = [(point, error, persistent) for point in points for error in ERRORS for persistent in (False, True)]
    # The interpreter repeats an interrupted call: interrupted for ever it would try for ever.
    return [case for case in cases if not (case[1] == "EINTR" and case[2])]


@pytest.mark.parametrize(("how", "count"), [("append", 1), ("batch", 3), ("shared", 1)])
def test_kill_leaves_whole_entries(tmp_path: Path, how: str, count: int) -> None:
    """A writer killed at any system call leaves a valid journal, to which the next writer appends."""
    bench = Bench(tmp_path, how)
    lengths = set()
    for point in bench.points():
        assert bench.strike(point, "SIGKILL") == outcome.KILLED, point

        check = verify_journal(bench.path)
        assert check.problem is None, point
        assert check.torn_bytes == 0, point
        lengths.add(check.entries)
        with Journal.open(bench.path) as journal:
            assert journal.append("Continued", 9, {}) == check.entries + 1
        assert verify_journal(bench.path).problem is None
    assert lengths == {3, 3 + count}


@pytest.mark.parametrize(("how", "count"), [("append", 1), ("batch", 3), ("shared", 1)])
def test_errors_are_reported_as_what_they_are(tmp_path: Path, how: str, count: int) -> None:
    """NotWritten leaves the bytes as they were, success adds the entries, OutcomeUnknown is one of these."""
    bench = Bench(tmp_path, how)
    for point, error, persistent in sampled(errno_cases(bench.points()), 15):
        code = bench.strike(point, error, is_persistent=persistent)

        case = (str(point), error, persistent)
        check = verify_journal(bench.path)
        assert check.problem is None, case
        if code == outcome.SUCCESS:
            assert (check.entries, check.torn_bytes) == (3 + count, 0), case
        elif code in (outcome.NOT_WRITTEN, outcome.STORAGE_ERROR):
            assert bench.path.read_bytes() == bench.old, case
        with Journal.open(bench.path) as journal:
            journal.append("Continued", 9, {})
        assert bench.types()[-1] == "Continued", case


def test_failed_write_is_taken_back_and_the_next_works(tmp_path: Path) -> None:
    """After one failed write the entry is NotWritten and the journal goes on with the same seq."""
    bench = Bench(tmp_path, "twice")
    writes = [point for point in bench.points() if point.call == "write" and "Appended" in point.text]
    assert bench.strike(writes[0], "ENOSPC") == outcome.NOT_WRITTEN
    assert bench.output == "accepted\n"
    assert [(entry.seq, entry.ts) for entry in read_entries(bench.path)] == [(1, 1), (2, 2), (3, 3), (4, 5)]


def test_failed_sync_is_never_retried(tmp_path: Path) -> None:
    """After one failed sync the outcome is unknown, the journal refuses, and no second sync is even tried."""
    bench = Bench(tmp_path, "twice")
    syncs = [point for point in bench.points() if point.call == "fdatasync"]
    assert len(syncs) == 1
    for persistent in (False, True):
        assert bench.strike(syncs[0], "EIO", is_persistent=persistent) == outcome.OUTCOME_UNKNOWN
        assert bench.output == "refused OutcomeUnknown\n"


def test_repair_survives_being_struck(tmp_path: Path) -> None:
    """A repair killed or failing at any system call is finished by the next open, and is journalled once."""
    bench = Bench(tmp_path, "repair", tail=TORN)
    points = bench.points()
    strikes = [(point, "SIGKILL", False) for point in points] + sampled(errno_cases(points), 25)
    for point, fault, persistent in strikes:
        bench.strike(point, fault, is_persistent=persistent)
        Journal.open(bench.path).close()

        case = (str(point), fault, persistent)
        assert bench.path.read_bytes().startswith(bench.old), case
        assert bench.types() == ["Prepared"] * 3 + ["TailRepaired"], case
        assert bench.path.with_name("journal.jsonl.torn-4").read_bytes() == TORN, case
        assert verify_journal(bench.path) == verify_journal(bench.path)._replace(torn_bytes=0, problem=None), case


def test_creation_is_an_empty_journal_or_nothing(tmp_path: Path) -> None:
    """A creator struck at any system call leaves an empty journal that opens, or no file."""
    bench = Bench(tmp_path, "create")
    bench.content = b""
    path = bench.path

    def reset() -> None:
        path.unlink(missing_ok=True)

    bench.reset = reset  # type: ignore[method-assign]
    reset()
    points = bench.points()
    for point, fault in [(point, fault) for point in points for fault in ("SIGKILL", "EIO")]:
        code = bench.strike(point, fault)
        if code == outcome.NOT_WRITTEN:
            assert not path.exists(), (point, fault)
        elif path.exists():
            Journal.open(path).close()
            assert path.read_bytes() == b""


def test_anchor_never_runs_ahead(tmp_path: Path) -> None:
    """An anchor written under any fault is the old one or the journal's head, never more than the journal."""
    bench = Bench(tmp_path, "anchor")
    points = bench.points()
    strikes = [(point, "SIGKILL", False) for point in points] + sampled(errno_cases(points), 12)
    for point, fault, persistent in strikes:
        bench.strike(point, fault, is_persistent=persistent)
        recorded = read_anchor(tmp_path / "anchor")
        assert recorded is None or recorded == verify_journal(bench.path).head
        assert verify_journal(bench.path, anchor=tmp_path / "anchor").problem is None
