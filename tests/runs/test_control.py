"""The operator's verbs on whole paper runs, and the table of states cell by cell on a live node."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support.paper_lab import Paper, ended
from support.venue_process import until
from tc.durable import read_entries
from tc.errors import RefusedError
from tc.model.operator_request import OperatorRequest
from tc.runs.control import ask_node
from tc.store.control_address import control_path
from tc.store.run_directory import JOURNAL

pytestmark = pytest.mark.whole_run

WHO = ("--by", "Ada", "--reason", "drill")
TOLD = "Told-001"
SPEC_ID = "ping-pong"


def tc(paper: Paper, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `tc` as its operator would."""
    command = [sys.executable, "-P", "-m", "tc", *arguments]
    return subprocess.run(command, env=paper.environment, capture_output=True, text=True, timeout=120, check=False)


def said_to(path: Path, line: bytes) -> bytes:
    """Send a line to a node and return all that it answers."""
    found = b""
    with socket.socket(socket.AF_UNIX) as node, suppress(ConnectionError):
        node.connect(str(path))
        node.sendall(line)
        while part := node.recv(65_536):
            found += part
    return found


@dataclass
class Told:
    """A paper run of the strategy that does what it is told."""

    paper: Paper
    process: subprocess.Popen[str]

    @classmethod
    def start(cls, folder: Path) -> Told:
        """Start it."""
        paper = Paper(folder, "10m")
        paper.trade("told.py:Told", f'script: "{folder / "script"}"', 300)
        return cls(paper, paper.start())

    def tell(self, line: str) -> None:
        """Tell it the next thing to do."""
        with open(self.paper.run.roots.artifacts.parent / "script", "a") as script:
            script.write(line + "\n")

    def do(self, line: str, *, comes_to: str, of: int = 1) -> dict[str, Any]:
        """Tell it, wait until there are `of` more entries of that type, and return the last."""
        before = len(self.entries(comes_to))
        self.tell(line)
        until(lambda: len(self.entries(comes_to)) >= before + of, f"{line} did not come to {comes_to}")
        return self.entries(comes_to)[-1]

    def take_position(self) -> None:
        """Hold 0.010 with a stop, and two entries that rest."""
        self.do("buy", comes_to="OrderFilled")
        for line in ("stop", "rest", "rest"):
            self.do(line, comes_to="OrderAccepted")

    def entries(self, kind: str) -> list[dict[str, Any]]:
        """Return what the journal has of a type."""
        if not self.paper.run.file(JOURNAL).exists():
            return []
        return [entry.payload() for entry in read_entries(self.paper.run.file(JOURNAL)) if entry.type == kind]

    def tells(self, verb: str, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Give a command of the operator's."""
        done = tc(self.paper, verb, "paper", *arguments, *WHO)
        assert done.returncode == code, done.stdout + done.stderr
        return done

    def at_venue(self) -> tuple[int, int]:
        """Return how many entries and how many stops work at the venue."""
        truth = self.paper.truth()
        return tuple(sum(one["status"] == "NEW" for one in truth[name]) for name in ("orders", "algo_orders"))

    def quantity(self) -> str:
        """Return the position at the venue."""
        return str(self.paper.truth()["positions"].get("BTCUSDT", {}).get("quantity", "0"))

    def is_denied(self, line: str, code: str) -> None:
        """Tell it, and see that it is denied with that code and the position is what it was."""
        before = self.quantity()
        assert self.do(line, comes_to="IntentDenied")["code"] == code
        assert self.quantity() == before

    def killed(self) -> None:
        """Kill it and see it ended flat."""
        done = tc(self.paper, "kill", "activate", "paper", *WHO, "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["path"] == "node"
        code, facts, words = ended(self.process)
        assert (code, facts["status"], facts["reconciliation"]) == (3, "killed", "matched"), words
        assert not self.paper.fold().positions_open


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Told]:
    """Yield a run of it with a position of 0.010, a stop and two entries that rest."""
    found = Told.start(tmp_path)
    try:
        until(lambda: control_path(found.paper.run.scratch).exists())  # where that is, the node says as it starts
        found.take_position()
        yield found
    finally:
        if found.process.poll() is None:
            found.process.terminate()
            found.process.communicate(timeout=60)


def enter(told: Told, state: str) -> None:
    """Bring the strategy into a state, on the ways that are open with a position."""
    if state == "active":
        return
    if state in ("observe", "off"):
        refused = told.tells("mode", SPEC_ID, state, code=3)
        assert "MODE_ENGAGED" in refused.stderr
    told.tells("standdown", "--strategy", SPEC_ID)
    if state in ("observe", "off"):
        told.tells("mode", SPEC_ID, state)
    answer = ask_node(told.paper.run, OperatorRequest(verb="status"))
    assert answer["standing"]["strategies"][TOLD]["state"] == state


ROWS = {  # what adding, reducing and canceling come to; who is off hears of no end either
    "active": ("OrderFilled", "OrderFilled"),
    "stood_down": ("STOOD_DOWN", "OrderFilled"),
    "observe": ("OBSERVE_ONLY", "OBSERVE_ONLY"),
    "off": ("NOT_LOADED", "NOT_LOADED"),
}


@pytest.mark.parametrize("state", ROWS)
def test_the_table_of_states_holds_on_a_live_node(told: Told, state: str) -> None:
    """Strategy adds, reduces, cancels; the operator cancels; the kill closes all: each cell of a row, then `killed`."""
    enter(told, state)

    for line, outcome in zip(("add", "reduce"), ROWS[state], strict=True):
        if outcome == "OrderFilled":
            told.do(line, comes_to=outcome)
        else:
            told.is_denied(line, outcome)
    told.do("cancel", comes_to="OrderCanceled")
    assert told.at_venue() == (1, 1)
    canceled = told.tells("cancel")
    assert "the venue says" in canceled.stdout
    assert told.at_venue() == (0, 1)
    for line in ("add", "reduce", "cancel_stop"):
        told.tell(f"at_the_end {line}")
    before = len(told.entries("IntentDenied"))
    told.killed()
    denied = [one["code"] for one in told.entries("IntentDenied")[before:]]
    assert denied == ([] if state == "off" else ["KILLED", "KILLED"])
    assert not told.entries("LastStopCanceled")  # it is the kill's business then


def test_the_edges_of_the_cells_hold_on_a_live_node(told: Told) -> None:
    """All checks bind who is active; nothing flips when stood down; repeats are counts; a bare position is recorded."""
    told.is_denied("add_too_much", "ORDER_QUANTITY")
    enter(told, "stood_down")
    told.is_denied("sell_plainly", "STOOD_DOWN")  # beside the stop over all of it, it might go through flat
    told.tell("flip")  # denied too: a repeat, so in numbers
    told.do("reduce", comes_to="OrderFilled")
    told.tells("mode", SPEC_ID, "observe")
    told.is_denied("add", "OBSERVE_ONLY")
    for _ in range(10):
        told.tell("add")
    until(lambda: told.entries("DenialsCounted"), "the repeats were not counted")
    counted = told.entries("DenialsCounted")[-1]
    assert (counted["code"], counted["intents"]) == ("OBSERVE_ONLY", 10)
    assert sum(one["code"] == "OBSERVE_ONLY" for one in told.entries("IntentDenied")) == 1
    alarm = told.do("cancel_stop", comes_to="LastStopCanceled")
    assert (alarm["strategy"], alarm["position"]) == (SPEC_ID, "0.008")
    log = told.paper.roots.alerts / "paper.log.jsonl"
    until(lambda: "position_left" in log.read_text(), "nobody was told that it is bare")
    told.killed()


def test_each_verb_does_its_own_and_says_what_the_venue_confirmed(told: Told) -> None:
    """Cancel leaves stops unless --all, a stand-down cancels nothing, resume ends it; all of it with who and why."""
    assert "expected one of this run's: ping-pong" in told.tells("cancel", "--strategy", "nobody", code=2).stderr
    assert "not stood down" in told.tells("resume", code=2).stderr
    assert told.at_venue() == (2, 1)

    said = told.tells("standdown").stdout
    assert said.count("it may still fill: `tc cancel` takes it") == 2
    assert told.at_venue() == (2, 1)
    told.is_denied("add", "STOOD_DOWN")
    found = json.loads(told.tells("cancel", "--json").stdout)
    assert (len(found["plan"]["cancels"]), len(found["plan"]["keeps"])) == (2, 1)
    assert [one["status"] for one in found["done"]["cancels"]] == ["CANCELED", "CANCELED"]
    assert [one["unprotected"] for one in found["done"]["positions"]] == ["0"]
    assert told.at_venue() == (0, 1)

    alarm = told.do("cancel_stop", comes_to="LastStopCanceled")
    assert (alarm["strategy"], alarm["position"], len(alarm["client_order_ids"])) == (SPEC_ID, "0.010", 1)
    assert f"{TOLD}: active" in told.tells("resume").stdout
    told.do("stop", comes_to="OrderAccepted")
    said = told.tells("cancel", "--all").stdout
    assert "UNPROTECTED: 0.010 of position 0.010 BTCUSDT-PERP.BINANCE has no stop" in said
    assert told.at_venue() == (0, 0)
    assert len(told.entries("LastStopCanceled")) == 1  # the other one was the operator's
    told.do("add", comes_to="OrderFilled")
    asked = [(one["verb"], one["everything"], one["by"], one["reason"]) for one in told.entries("OperatorCommand")]
    rest = ("Ada", "drill")
    assert asked == [("resume", False, *rest), ("standdown", False, *rest), ("cancel", False, *rest),
                     ("resume", False, *rest), ("cancel", True, *rest)]  # fmt: skip


def test_who_asks_a_node_that_cannot_obey_is_told_what_to_do(told: Told) -> None:
    """A node that hangs leads to the kill in bounded time; a killed one obeys nobody else; an ended one is over."""
    paper, node = told.paper, told.paper.run.metadata()["pid"]
    assert stat.S_IMODE(control_path(paper.run.scratch).stat().st_mode) == 0o600
    for junk in (b"\n", b"\xff{\n", b'{"verb": "flatten"}\n', b"x" * 100_000 + b"\n"):
        assert b'"ok": true' not in said_to(control_path(paper.run.scratch), junk)
    os.kill(node, signal.SIGSTOP)
    hung = told.tells("standdown", code=6)
    os.kill(node, signal.SIGCONT)
    assert "did not answer within 5 s" in hung.stderr
    assert "tc kill activate paper" in hung.stderr

    paper.control("POST", "/fault", {"kind": "latency", "target": "http", "milliseconds": 2_000})
    os.kill(node, signal.SIGUSR2)
    until(lambda: told.entries("KillLatchClosed"), "the node was not killed")
    who = {"by": "Ada", "reason": "drill"}
    for request in (
        *(OperatorRequest(verb=verb, **who) for verb in ("cancel", "standdown", "resume")),
        *(OperatorRequest(verb="mode", strategy_id=SPEC_ID, mode=mode, **who) for mode in ("off", "observe", "active")),
    ):
        with pytest.raises(RefusedError, match="KILLED"):
            ask_node(paper.run, request)
    assert ask_node(paper.run, OperatorRequest(verb="status"))["is_killed"]
    paper.control("POST", "/fault", {"kind": "latency", "target": "http", "milliseconds": 0})
    code, facts, words = ended(told.process)
    assert (code, facts["status"]) == (3, "killed"), words
    assert "is over and sealed as killed" in told.tells("cancel", code=2).stderr
    assert not control_path(paper.run.scratch).exists()


def test_what_an_operator_did_is_replayed_with_the_run(tmp_path: Path) -> None:
    """Canceled under its hands, stood down, switched off and on again: `tc verify` comes to the same decisions."""
    paper = Paper(tmp_path, "12s")
    process = paper.start()
    paper.until_entries(120)
    for arguments in (
        ("cancel", "paper", "--all"),
        ("standdown", "paper"),
        ("mode", "paper", SPEC_ID, "off"),
        ("mode", "paper", SPEC_ID, "active"),
        ("resume", "paper"),
    ):
        done = tc(paper, *arguments, *WHO)
        assert done.returncode == 0, done.stderr
    code, facts, words = ended(process)

    assert (code, facts["reconciliation"]) == (0, "matched"), words
    counts = paper.counts()
    assert (counts["OperatorCommand"], counts["ModeChanged"]) == (5, 2)
    assert paper.verified().is_equal


def test_a_stand_down_outlives_the_node_that_was_told(told: Told) -> None:
    """SIGKILL of a node that was stood down: the next one is so from its start, until a named person resumes it."""
    told.tells("standdown")
    (told.paper.run.roots.artifacts.parent / "script").write_text("")
    os.kill(told.paper.run.metadata()["pid"], signal.SIGKILL)
    until(lambda: len(told.entries("NodeStarted")) == 2, "the node was not started again", 60)

    told.is_denied("add", "STOOD_DOWN")
    assert len(told.entries("StoodDown")) == 1
    assert "drill" in str(ask_node(told.paper.run, OperatorRequest(verb="status"))["standing"]["account"])
    told.tells("resume")
    told.do("add", comes_to="OrderFilled")
