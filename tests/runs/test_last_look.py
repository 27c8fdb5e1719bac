"""Who waits for something and is paused past the end of the wait looks once more before it gives up."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from types import SimpleNamespace

from support.fake_clock import FakeClock
from tc.durable import LockHolder
from tc.runs.kill_order import KillOrder
from tc.runs.kill_work import KillWork
from tc.supervise.child import Child

NODE = LockHolder(pid=0, start_time=0, host="", boot_id="", purpose="run", since=0)
PAUSE_S = 60.0


class Paused(FakeClock):
    """A clock on which every short sleep lasts a minute; the node answers during the first."""

    def __init__(self, counts: Counter[str]) -> None:
        super().__init__()
        self._counts = counts

    def sleep(self, seconds: float) -> None:
        """Be paused."""
        self._counts["KillLatchClosed"] = 1
        self.pass_s(PAUSE_S)


def test_a_node_that_answered_in_time_is_not_fenced_by_an_agent_that_was_paused(tmp_path: Path) -> None:
    """The journal is read once more after the time is over: what it says by then counts."""
    counts: Counter[str] = Counter()
    tail = SimpleNamespace(counts=counts, read=lambda: None, own=frozenset())
    order = KillOrder(
        "paper", str(tmp_path / "artifacts"), str(tmp_path / "runtime"), "127.0.0.1", 9, "key", "secret",
        is_own_venue=False, since_ms=0, maximum={},
    )  # fmt: skip
    told: list[str] = []
    clock = Paused(counts)
    work = KillWork(order, clock, lambda stage, _facts: told.append(stage), tail=tail)  # type: ignore[arg-type]
    work._asked, work._asked_ns = NODE, clock.monotonic_ns()
    assert work._is_heard()
    assert told == ["delivered"]


def test_a_child_that_was_ready_in_time_is_taken_by_a_supervisor_that_was_paused() -> None:
    """What it had said before the time was over is read after it."""
    child = Child([], "http.server")  # it never says this itself
    try:
        child._said.put({"port": 7})
        assert child.wait_for("port", 0.0) == {"port": 7}
    finally:
        child.kill()
        child.close()
