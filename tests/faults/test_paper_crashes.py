"""Node and venue of a paper run are killed at chosen moments; afterwards every book equals the venue's ground truth."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from support.paper_lab import Paper, ended
from support.sample import sampled, scaled
from support.venue_process import until
from tc.durable import read_entries
from tc.runs.paper import VENUE
from tc.store.run_directory import JOURNAL, trace_of

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1_800)]

RESTORED_S = 5.0
PAUSE_S = scaled(0.0, 4.0)  # a start and its looks ask for a tenth of the requests that a venue allows in a minute
VENUE_PAUSE_S = scaled(0.0, 7.0)  # no start waits for room here
MOMENTS = (
    "OrderInitialized", "SubmitOrder", "OrderSubmitted", "OrderAccepted", "OrderFilled", "AccountState", "ModifyOrder",
    "OrderPendingUpdate", "OrderUpdated", "CancelAllOrders", "OrderCanceled", "PositionOpened",
    "PositionChanged", "PositionClosed",
)  # fmt: skip
STARTING = ("NodeStarted", "VenueStateRecorded")
ENDING = ("StoodDown", "EngineStateRecorded", "RunEnded")


def long_run(folder: Path) -> Paper:
    """Return a run that goes on until it is asked to end, however often it dies."""
    paper = Paper(folder, "30m")
    paper.spec.write_text(paper.spec.read_text().replace("max_restarts: 3", "max_restarts: 100"))
    return paper


class Tail:
    """Reads what is added to a journal, without parsing it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.offset = path.stat().st_size if path.exists() else 0

    def until(self, kind: str, nth: int, deadline_s: float = 30.0) -> bool:
        """Return when the nth entry of a kind came, False where it did not come."""
        wanted, deadline = f'"type":"{kind}"'.encode(), time.monotonic() + deadline_s
        seen = 0
        while time.monotonic() < deadline:
            with self.path.open("rb") as file:
                file.seek(self.offset)
                data = file.read()
            self.offset += len(data)
            seen += data.count(wanted)
            if seen >= nth:
                return True
            time.sleep(0.0005)
        return False


def starts(paper: Paper) -> list[tuple[int, int]]:
    """Return when each start of the node began and when its books agreed with the venue's, UNIX nanoseconds."""
    found: list[tuple[int, int]] = []
    for entry in read_entries(paper.run.file(JOURNAL)):
        if entry.type == "NodeStarted":
            found.append((entry.ts, 0))
        if entry.type == "VenueStateRecorded" and entry.payload()["moment"] == "start":
            found[-1] = (found[-1][0], entry.ts)
    return found


def starts_if_any(paper: Paper) -> list[tuple[int, int]]:
    """Return the starts, none where there is no journal yet."""
    return starts(paper) if paper.run.file(JOURNAL).exists() else []


def end(paper: Paper, process: Any) -> dict[str, int]:
    """End the run and hold what must hold of every run that was killed; return the counts of its entries."""
    process.send_signal(signal.SIGTERM)
    code, facts, words = ended(process)
    assert (code, facts["status"], facts["reconciliation"]) == (0, "interrupted", "matched"), words
    counts = paper.counts()
    assert "ReconciliationBreak" not in counts
    assert "Traceback" not in words
    verified = paper.verified()
    assert verified.is_equal, verified.difference
    return counts


def kill_and_settle(paper: Paper, number: int, dice: random.Random) -> None:
    """Kill the node when something happens, see it start again, and hold every book against the ground truth."""
    kind = MOMENTS[number % len(MOMENTS)] if number % 8 else STARTING[number // 8 % 2]
    tail = Tail(paper.run.file(JOURNAL))
    if kind in STARTING:  # killed again while it is being restored
        os.kill(paper.run.metadata()["pid"], signal.SIGKILL)
    assert tail.until(kind, 1 if kind in STARTING else dice.randint(1, 3)), f"{kind} did not come"
    before = len(starts(paper))
    os.kill(paper.run.metadata()["pid"], signal.SIGKILL)
    until(lambda: (s := starts(paper)) and len(s) > before and s[-1][1], f"no start after {kind}")
    settled = paper.settled()
    assert settled.is_converged, (number, kind, settled)
    assert not settled.stood_down, (number, kind, settled)
    time.sleep(PAUSE_S)


@pytest.mark.parametrize("batch", range(scaled(1, 12)))
def test_a_node_killed_at_any_event_goes_on_without_a_duplicate_a_loss_or_a_phantom(tmp_path: Path, batch: int) -> None:
    """SIGKILL at 60 moments, five a run (4 in all by default): books equal the ground truth, within 5 s of the start.

    More a run would wait longer and longer for the next start, up to 30 s.
    """
    dice, paper = random.Random(batch), long_run(tmp_path)
    kills = scaled(4, 5)
    process = paper.start()
    paper.until_entries(60)
    for number in range(batch * kills, (batch + 1) * kills):
        kill_and_settle(paper, number, dice)
    counts = end(paper, process)
    restored = [(agreed - began) / 1e9 for began, agreed in starts(paper) if agreed]
    assert max(restored) < RESTORED_S, restored
    assert counts["NodeStarted"] >= kills + 1


def test_a_node_killed_while_it_reconnects_goes_on(tmp_path: Path) -> None:
    """SIGKILL while the user stream is being opened again: fills of that time are found in the next start."""
    paper = long_run(tmp_path)
    process = paper.start()
    paper.until_entries(60)
    for pause_s in scaled((0.05,), (0.0, 0.05, 0.2, 0.5)):
        before = len(starts(paper))
        paper.control("POST", "/fault", {"kind": "cut", "target": "user"})
        time.sleep(pause_s)
        os.kill(paper.run.metadata()["pid"], signal.SIGKILL)
        until(lambda before=before: (s := starts(paper)) and len(s) > before and s[-1][1], "no start")
        settled = paper.settled()
        assert settled.is_converged, settled
    end(paper, process)


def test_a_node_killed_when_an_order_has_left_names_it_where_its_decision_is_lost(tmp_path: Path) -> None:
    """Between an order and its inputs: every book agrees, and `verify` names the one decision that died."""
    paper = long_run(tmp_path)
    paper.trade("stuck.py:Stuck", "mode: leaving", 300)
    process = paper.start()
    until(lambda: len(s := starts_if_any(paper)) > 1 and s[-1][1], "the node did not die and come back", 60)
    settled = paper.settled()
    assert settled.is_converged, settled
    end(paper, process)
    lost = paper.verified().unrecorded
    assert len(lost) == 1
    assert lost[0] in {fill.client_order_id for fill in paper.fold().fills}


@pytest.mark.parametrize("kind", sampled(ENDING, 2))
def test_a_node_killed_while_it_ends_is_settled_and_sealed(tmp_path: Path, kind: str) -> None:
    """SIGKILL while it flattens, before its last entry, and while it seals: the run is sealed and matched."""
    paper = long_run(tmp_path)
    process = paper.start()
    paper.until_entries(60)
    tail = Tail(paper.run.file(JOURNAL))
    process.send_signal(signal.SIGTERM)
    assert tail.until(kind, 1)
    os.kill(paper.run.metadata()["pid"], signal.SIGKILL)
    code, facts, words = ended(process)

    assert facts["reconciliation"] == "matched", words
    assert code in (0, 6), words
    venue = [e.payload() for e in read_entries(paper.run.file(JOURNAL)) if e.type == "VenueStateRecorded"][-1]
    assert (venue["positions"], venue["orders"]) == ({}, [])
    assert paper.verified().is_equal


def test_a_venue_killed_at_any_event_is_started_again_and_nothing_is_lost(tmp_path: Path) -> None:
    """SIGKILL of the venue at 20 moments (2 by default): it comes back on its ports and every book agrees again."""
    dice, paper = random.Random(12), long_run(tmp_path)
    process = paper.start()
    paper.until_entries(60)
    for number in range(scaled(2, 20)):
        kind = MOMENTS[number % len(MOMENTS)]
        assert Tail(paper.run.file(JOURNAL)).until(kind, dice.randint(1, 3)), f"{kind} did not come"
        pid = trace_of(paper.run, VENUE)["pid"]
        os.kill(pid, signal.SIGKILL)
        until(lambda pid=pid: trace_of(paper.run, VENUE).get("pid") not in (None, pid), "the venue did not come back")
        settled = paper.settled()
        assert settled.is_converged, (number, kind, settled)
        time.sleep(VENUE_PAUSE_S)
    end(paper, process)
