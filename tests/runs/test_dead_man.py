"""The countdown at the venue: when everything of ours is dead, what rests there is canceled by the venue itself."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from support.paper_lab import Paper, ended
from support.venue_process import SYMBOL, VenueProcess, until
from tc.clock import SYSTEM_CLOCK
from tc.model.heartbeat import Slot
from tc.runs.agent_beat import AgentBeat
from tc.runs.dead_man import DeadMan
from tc.runs.kill_order import AGENT, KillOrder
from tc.runs.paper import SUPERVISOR, VENUE
from tc.runs.paper_recovery import trace_of
from tc.runs.status import status_of

pytestmark = pytest.mark.timeout(240)
SECONDS = 10


def resting(folder: Path) -> tuple[Paper, subprocess.Popen[str]]:
    """Return a run with a countdown that holds a position, a stop and two entries that rest."""
    paper = Paper(folder, "10m")
    paper.trade("told.py:Told", f'script: "{folder / "script"}"', 300)
    text = paper.spec.read_text().replace("max_restarts: 3", f"max_restarts: 3\n  dead_man_s: {SECONDS}")
    paper.spec.write_text(text)
    (folder / "script").write_text("buy\nstop\nrest\nrest\n")
    process = paper.start()
    paper.until_counted("OrderAccepted", 4)
    return paper, process


def at_venue(paper: Paper) -> tuple[int, int]:
    """Return how many entries and how many stops work at the venue."""
    truth = paper.truth()
    entries, stops = (sum(one["status"] == "NEW" for one in truth[name]) for name in ("orders", "algo_orders"))
    return entries, stops


@pytest.mark.whole_run
def test_orders_are_gone_when_everything_of_ours_is_dead_and_stops_stay(tmp_path: Path) -> None:
    """While the agent lives they rest for longer than the countdown; after SIGKILL of all three they do not."""
    paper, process = resting(tmp_path)
    time.sleep(SECONDS + 3)
    assert at_venue(paper) == (2, 1)
    lights = {light.name: light for light in status_of(paper.run).lights}
    assert "dead man armed for " in lights["kill agent"].detail
    venue = trace_of(paper.run, VENUE)["pid"]
    for pid in (trace_of(paper.run, SUPERVISOR)["pid"], trace_of(paper.run, AGENT)["pid"], paper.run.metadata()["pid"]):
        os.kill(pid, signal.SIGKILL)
    killed = time.monotonic()
    process.wait(60)
    try:
        assert at_venue(paper) == (2, 1)
        until(lambda: at_venue(paper) != (2, 1), "the venue canceled nothing")
        seconds = time.monotonic() - killed
        until(lambda: at_venue(paper) == (0, 1), "the venue did not cancel both, and only them")
        assert paper.truth()["positions"]["BTCUSDT"]["quantity"] == "0.010"
    finally:
        os.kill(venue, signal.SIGKILL)
        process.communicate()
    assert SECONDS / 2 < seconds < SECONDS + 3


@pytest.mark.whole_run
def test_a_run_with_a_countdown_ends_as_any_other(tmp_path: Path) -> None:
    """Stopped on request it is flat, sealed and reconciled: no countdown of its agent comes in between."""
    _, process = resting(tmp_path)
    process.send_signal(signal.SIGTERM)
    code, facts, words = ended(process)
    assert (code, facts["status"], facts["reconciliation"]) == (0, "interrupted", "matched"), words


def test_it_is_renewed_by_an_agent_that_works_and_switched_off_at_the_end(tmp_path: Path) -> None:
    """An agent whose loop does nothing renews nothing, though its threads live; what cannot be renewed is said."""
    with VenueProcess(tmp_path, "--hold") as venue:
        order = KillOrder(
            "paper", str(tmp_path / "artifacts"), str(tmp_path / "runtime"), "127.0.0.1", venue.port,
            "alpha-key-canary", "alpha-secret-canary", is_own_venue=False, since_ms=0, maximum={SYMBOL: None},
            dead_man_s=3,
        )  # fmt: skip
        order.run.scratch.mkdir(parents=True)
        said: list[dict[str, Any]] = []
        beat = AgentBeat(order, SYSTEM_CLOCK)
        beat.turn()
        dead_man = DeadMan(order, 3, beat, said.append, SYSTEM_CLOCK)

        def deadline(*, of_one_that_works: bool = True) -> int:
            if of_one_that_works:
                beat.turn()
            return int(venue.truth("alpha")["countdowns"].get(SYMBOL, 0))

        dead_man.begin()
        first = deadline()
        assert first > 0
        until(lambda: deadline() > first, "it was not renewed")
        assert beat._file is not None
        assert beat._file.read(Slot.DEAD_MAN) > SYSTEM_CLOCK.monotonic_ns()
        venue.fault("http", method="POST", path="/fapi/v1/countdownCancelAll", status=503, code=-1001, count=1)
        until(
            lambda: deadline() and [bool(fact["problem"]) for fact in said] == [True, False],
            "nobody was told, or not of its end",
        )
        beat._turned_ns -= 9_000_000_000
        until(lambda: deadline(of_one_that_works=False) == 0, "it was renewed for an agent that does nothing")
        beat.turn()
        until(lambda: deadline() > 0, "it was not renewed again")
        dead_man.end()
        assert deadline() == 0
