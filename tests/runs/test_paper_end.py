"""Who ends a whole paper run, and that what it holds is let go whoever that is and whenever it comes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from support.market import GENERATED, made_up_bars
from support.paper_lab import Paper, ended
from support.venue_process import until
from tc.data.dataset_store import DatasetStore
from tc.durable import read_entries
from tc.runs.paper import VENUE
from tc.store.run_directory import INPUTS, JOURNAL, trace_of

pytestmark = pytest.mark.whole_run


class ToldRun:
    """A paper run of the strategy that does what it is told; it holds 0.010, a stop, and an entry that rests."""

    def __init__(self, folder: Path) -> None:
        self.script = folder / "script"
        self.paper = Paper(folder, "10m")
        self.paper.trade("told.py:Told", f'script: "{self.script}"', 300)
        self.script.write_text("buy\nstop\nrest\n")
        self.process = self.paper.start()
        self.paper.until_counted("OrderAccepted", 3)
        self.paper.until_counted("OrderFilled", 1)

    def tell(self, line: str) -> None:
        """Tell it the next thing to do."""
        with self.script.open("a") as script:
            script.write(line + "\n")


def entries(paper: Paper, kind: str) -> list[dict[str, Any]]:
    """Return what the journal has of a type."""
    return [entry.payload() for entry in read_entries(paper.run.file(JOURNAL)) if entry.type == kind]


def left(paper: Paper) -> tuple[Any, Any]:
    """Return what the venue said last that it holds: positions and working orders."""
    venue = entries(paper, "VenueStateRecorded")[-1]
    return venue["positions"], venue["orders"]


@pytest.mark.parametrize(
    ("line", "code", "status", "said"),
    [("break_the_engine", 6, "failed", "an indicator with a bug"), ("shut_down", 0, "completed", "it was told to")],
)
def test_a_shutdown_from_within_lets_go_as_the_spec_says(
    tmp_path: Path, line: str, code: int, status: str, said: str
) -> None:
    """What raises in an engine's own queue fails the run, a strategy's shutdown completes it, and both end flat."""
    told = ToldRun(tmp_path)
    told.tell(line)
    ended_with, facts, words = ended(told.process)

    assert (ended_with, facts["status"], facts["reconciliation"]) == (code, status, "matched"), words
    assert said in facts["reason"]
    assert left(told.paper) == ({}, [])
    assert told.paper.counts()["NodeStarted"] == 1
    verified = told.paper.verified()
    assert verified.is_equal, verified.difference


def test_a_run_that_is_stopped_while_its_node_begins_again_is_let_go_by_the_next(tmp_path: Path) -> None:
    """Stopped in the middle of a start, a node lets no strategy begin and seals nothing; the next lets all go."""
    told = ToldRun(tmp_path)
    told.script.write_text("")
    told.paper.control("POST", "/fault", {"kind": "refuse", "target": "user"})
    os.kill(told.paper.run.metadata()["pid"], signal.SIGKILL)
    told.paper.until_counted("NodeStarted", 2)
    told.process.send_signal(signal.SIGTERM)
    until(
        lambda: any(e["reason"] == "the run is ending" for e in entries(told.paper, "StoodDown")), "it does not end", 60
    )
    told.paper.control("POST", "/fault", {"kind": "clear"})
    code, facts, words = ended(told.process)

    assert (code, facts["status"], facts["reconciliation"]) == (0, "interrupted", "matched"), words
    assert left(told.paper) == ({}, [])
    inputs = [
        e.type for e in read_entries(told.paper.run.file(INPUTS)) if e.type in ("AttemptStarted", "StrategyStarted")
    ]
    assert inputs == ["AttemptStarted", "StrategyStarted", "AttemptStarted", "AttemptStarted", "StrategyStarted"]


def test_a_strategy_that_buys_as_it_starts_buys_nothing_in_a_recovery(tmp_path: Path) -> None:
    """Recovery starts strategies only so that what they hold can be let go: whatever adds risk is denied for that."""
    paper = Paper(tmp_path, "10m")
    paper.trade("odd.py:Odd", "mode: start", 300)
    process = paper.start()
    paper.until_counted("OrderFilled", 1)
    paper.kill_all(process)
    command = [sys.executable, "-P", "-m", "tc", "runs", "recover", "paper"]
    done = subprocess.run(command, env=paper.environment, capture_output=True, text=True, timeout=120, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    denied = [entry["code"] for entry in entries(paper, "IntentDenied")]
    assert denied[0] == "REFERENCE_UNUSABLE"  # the first start has no price yet, which an active strategy needs
    assert set(denied[1:]) == {"STOOD_DOWN"}
    assert [fill["order_side"] for fill in entries(paper, "OrderFilled")] == ["BUY", "SELL"]
    assert left(paper) == ({}, [])
    verified = paper.verified()
    assert verified.is_equal, verified.difference


@pytest.mark.parametrize("who", ["supervisor", "node"])
def test_a_recovery_that_is_asked_to_stop_lets_go_and_seals_all_the_same(tmp_path: Path, who: str) -> None:
    """It ends by itself; what it was started for is done, since nobody would do it after it."""
    told = ToldRun(tmp_path)
    paper = told.paper
    paper.kill_all(told.process)
    before = trace_of(paper.run, VENUE)["pid"]
    command = [sys.executable, "-P", "-m", "tc", "runs", "recover", "paper"]
    recovery = subprocess.Popen(command, env=paper.environment, stderr=subprocess.PIPE, text=True)
    until(lambda: trace_of(paper.run, VENUE).get("pid") not in (None, before), "its venue did not come back")
    paper.control("POST", "/fault", {"kind": "latency", "target": "http", "milliseconds": 400})
    paper.until_counted("NodeStarted", 2)
    os.kill(recovery.pid if who == "supervisor" else paper.run.metadata()["pid"], signal.SIGTERM)
    time.sleep(1)  # one that obeyed would be gone by then
    paper.control("POST", "/fault", {"kind": "clear"})
    _, words = recovery.communicate(timeout=120)

    assert recovery.returncode == 0, words
    assert paper.run.is_sealed
    assert left(paper) == ({}, [])


def test_what_has_not_left_when_a_run_ends_does_not_leave_after_it(tmp_path: Path) -> None:
    """The second order of a list waits for the answer to the first, and is no open order meanwhile."""
    told = ToldRun(tmp_path)
    paper = told.paper
    paper.control("POST", "/fault", {"kind": "latency", "target": "answer", "milliseconds": 2_500})
    told.tell("add_twice")
    paper.until_counted("OrderFilled", 2)
    told.process.send_signal(signal.SIGTERM)
    paper.until_counted("OrderRejected", 1)
    paper.control("POST", "/fault", {"kind": "clear"})
    code, facts, said = ended(told.process)

    assert (code, facts["status"], facts["reconciliation"]) == (0, "interrupted", "matched"), said
    assert left(paper) == ({}, [])
    assert "STOOD_DOWN" in entries(paper, "OrderRejected")[-1]["reason"]
    assert sum(1 for fill in entries(paper, "OrderFilled") if fill["order_side"] == "BUY") == 2


@pytest.mark.parametrize("lost", ["some", "last"])
def test_a_run_without_a_duration_ends_with_its_data_though_bars_are_lost(tmp_path: Path, lost: str) -> None:
    """Some while the node is started again, or the last on the way: then the venue says that there are no more."""
    paper = Paper(tmp_path, "10m")
    paper.spec.write_text(paper.spec.read_text().replace("duration: 10m\n", ""))
    store = DatasetStore(paper.roots.runtime)
    words = {"price_precision": 1, "volume": "base", "synthetic": True, "source": GENERATED}
    store.save("demo-btc-1m", made_up_bars(100), replace=True, **words)
    process = paper.start()
    paper.until_entries(60)
    if lost == "some":
        os.kill(paper.run.metadata()["pid"], signal.SIGKILL)
    else:
        paper.control("POST", "/fault", {"kind": "stall", "target": "market"})
    code, facts, said = ended(process)

    assert (code, facts["status"], facts["reconciliation"]) == (0, "completed", "matched"), said
    assert "its data ended" in facts["reason"]
    assert paper.counts()["NodeStarted"] == (2 if lost == "some" else 1)


def test_a_strategy_whose_state_cannot_be_kept_is_stopped_and_ends_no_node(tmp_path: Path) -> None:
    """Text for bytes from `on_save` is a fault of its strategy: the run ends as the spec says, in its first node."""
    paper = Paper(tmp_path, "60s")
    paper.trade("odd.py:Odd", "mode: text", 300)
    code, facts, words = ended(paper.start())

    assert (code, facts["status"], facts["reconciliation"]) == (6, "failed", "matched"), words
    assert "on_save" in facts["reason"]
    assert paper.counts()["NodeStarted"] == 1
    verified = paper.verified()
    assert verified.is_equal, verified.difference
