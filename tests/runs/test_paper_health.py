"""The watchdog's health check on a real venue, a real disk and real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from support.venue_process import VenueProcess, until
from tc.clock import SYSTEM_CLOCK
from tc.durable import is_process_stopped
from tc.model.endpoint import LoopbackEndpoint
from tc.runs.paper_health import PROBE_S, HealthCheck
from tc.runs.paper_watch import PaperWatch
from tc.store.roots import Roots
from tc.store.run_directory import HEALTH, RunDirectory, decode_document
from tc.supervise.cpu_policy import SECOND

BUSY = "while True: pass"


@contextmanager
def busy() -> Iterator[subprocess.Popen[bytes]]:
    """Yield a process that burns a core."""
    process = subprocess.Popen([sys.executable, "-c", BUSY])
    try:
        yield process
    finally:
        process.kill()
        process.wait()


class Desk:
    """One health check, and what it told."""

    def __init__(self, folder: Path, port: int) -> None:
        self.run = RunDirectory(Roots(folder / "artifacts", folder / "runtime"), "paper")
        self.run.scratch.mkdir(parents=True)
        self.told: list[dict[str, Any]] = []
        self.check = HealthCheck(self.run, LoopbackEndpoint("127.0.0.1", port), self.told.append, SYSTEM_CLOCK)

    def turn(self, *missing: str, is_agent_running: bool = True, node: int | None = None) -> None:
        """Be the watchdog's turn."""
        began = time.monotonic()
        self.check.turn(
            node or os.getpid(), is_agent_running=is_agent_running, missing=list(missing), cpu_share=0.25
        )  # fmt: skip
        assert time.monotonic() - began < 0.75 * PROBE_S  # it never waits

    def next(self, *missing: str, **words: Any) -> dict[str, Any]:
        """Turn until a check is told of."""
        before = len(self.told)

        def is_told() -> bool:
            self.turn(*missing, **words)
            return len(self.told) > before

        until(is_told, "no check came")
        return self.told[-1]


def test_everything_is_checked_at_the_start_and_at_once_when_a_beat_is_missed(tmp_path: Path) -> None:
    """One check at the start and then none for thirty seconds, but at once on a missed beat; the same is told once."""
    with VenueProcess(tmp_path, "--hold") as venue:
        desk = Desk(tmp_path, venue.port)
        first = desk.next()
        assert (first["problems"], first["missing"], first["cpu_percent"]) == ([], [], 25)
        assert first["memory_mb"] > 10
        kept = decode_document((desk.run.scratch / HEALTH).read_bytes(), desk.run.scratch / HEALTH)
        assert kept["node"] == os.getpid()
        for _ in range(20):
            desk.turn()
            time.sleep(0.02)
        assert len(desk.told) == 1
        missed = desk.next("loop")
        assert (missed["because"], missed["missing"], missed["problems"]) == ("a beat was missed", ["loop"], [])
        for _ in range(20):
            desk.turn("loop")
            time.sleep(0.02)
        assert len(desk.told) == 2


def test_what_no_beat_tells_is_a_problem_of_the_check(tmp_path: Path) -> None:
    """No agent, a stopped node, a venue that is gone or hangs, a disk that takes nothing: each named, nobody waits."""
    with VenueProcess(tmp_path, "--hold") as venue, busy() as node:
        desk = Desk(tmp_path, venue.port)
        assert desk.next(is_agent_running=False)["problems"] == ["no kill agent runs"]
        node.send_signal(signal.SIGSTOP)
        until(lambda: is_process_stopped(node.pid), "it did not stop")
        assert desk.next("loop", node=node.pid)["problems"] == [f"the node, pid {node.pid}, is stopped"]
        os.kill(venue.process.pid, signal.SIGSTOP)
        (problem,) = desk.next("feed")["problems"]
        assert problem.startswith("the venue is unreachable")
        os.kill(venue.process.pid, signal.SIGCONT)
        (desk.run.scratch / HEALTH).unlink()
        desk.run.scratch.rmdir()
        desk.run.scratch.write_text("a file where the folder was")
        (problem,) = desk.next("pipeline")["problems"]
        assert problem.startswith("the disk takes nothing")


def test_a_node_that_burns_its_bound_is_told_of_until_it_eases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Measured from outside, so that it shows of a node that hangs in a loop of its own, too."""
    desk = Desk(tmp_path, 1)
    watch = PaperWatch(desk.run, 3, desk.told.append, SYSTEM_CLOCK, cpu_bound=0.02)
    monkeypatch.setattr(watch._cpu, "window", 2 * SECOND)
    with busy() as node:

        def is_told(event: str) -> bool:
            watch.turn(node)  # type: ignore[arg-type]
            time.sleep(0.05)
            return any(fact["event"] == event for fact in desk.told)

        until(lambda: is_told("cpu_bound"), "nobody was told")
        node.send_signal(signal.SIGSTOP)
        until(lambda: is_told("cpu_eased"), "it did not ease")
    assert [fact["event"] for fact in desk.told] == ["cpu_bound", "cpu_eased"]
    assert desk.told[0]["percent"] > desk.told[0]["bound"] == 2
