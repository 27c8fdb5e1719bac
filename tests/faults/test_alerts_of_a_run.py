"""Every kind of safety event, really provoked on paper runs: at the web within five seconds, by our own clock.

All the while the first sink refuses and a thousand others wait to be sent again there.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from support.alert_lab import Observer, observer
from support.capabilities import needs
from support.loop_disk import mounted
from support.paper_lab import Paper, start_s
from support.sample import scaled
from support.venue_process import until
from tc.alert.alert import AlertKind
from tc.alert.desk import AlertDesk
from tc.model.operator_request import OperatorRequest
from tc.runs.control import ask_node
from tc.runs.kill_order import AGENT
from tc.runs.kill_work import INCOMPLETE_S, SETTLED_S
from tc.runs.paper import SUPERVISOR, VENUE
from tc.store.control_address import control_path
from tc.store.run_directory import trace_of

pytestmark = [pytest.mark.faults, pytest.mark.whole_run, pytest.mark.timeout(1_800)]

LIMIT_S = 5.0
SLOW_S = 240.0
OTHERS = 1_000
STALE_S = 2.0
WHO = {"by": "Ada", "reason": "drill"}
OF_A_RUN = {
    "limit_warning", "drawdown", "position_left", "stand_down", "node_stalled", "stale_data",
    "agent_dead", "node_dead", "limit_breach", "corruption_guard", "supervisor_dead", "kill_activated", "not_latched",
    "kill_stage", "kill_incomplete", "kill_confirmed",
}  # fmt: skip
APART = {"give_up", "journal_poisoned"}  # they end a run
NOT_PROVOKED = {"reconciliation_break", "test"}  # whatever our venue does, the books converge


class Watched:
    """A paper run that does what it is told, and what of it arrived at the web."""

    def __init__(self, folder: Path, first: Observer, pager: Observer) -> None:
        self.paper = Paper(folder, "30m")
        self.script = folder / "script"
        self.paper.trade("told.py:Told", f'script: "{self.script}"', 300)
        self.change("  on_stop", f"  alerts: [first, pager]\n  stale_data_timeout_s: {STALE_S:g}\n  on_stop")
        self.paper.environment |= {"TC_ALERT_FIRST": first.target, "TC_ALERT_PAGER": pager.target}
        self.pager = pager
        self.worst: dict[str, float] = {}
        self.process: subprocess.Popen[str]

    def change(self, before: str, after: str) -> None:
        """Change the spec."""
        text = self.paper.spec.read_text()
        assert before in text
        self.paper.spec.write_text(text.replace(before, after, 1))

    def start(self) -> None:
        """Start it behind a thousand alerts that a dead process left."""
        desk = AlertDesk(self.paper.roots.alerts, [], run_id="paper")
        for number in range(OTHERS):
            desk.raise_alert(AlertKind.limit_warning, "one of many", key=f"other {number}")
        desk.close(30)
        self.process = self.paper.start()
        self.until_running(1)
        until(lambda: len(self.pager.seen()) >= OTHERS, "the others did not arrive", SLOW_S)

    def until_running(self, attempt: int) -> None:
        """Wait until that start of its node listens."""
        until(lambda: self.paper.counts_if_any().get("NodeStarted", 0) >= attempt, "it did not start", SLOW_S)
        until(control_path(self.paper.run.scratch).exists, "it does not listen", SLOW_S)

    def tell(self, line: str) -> None:
        """Tell the strategy what to do at its next bar."""
        with self.script.open("a") as script:
            script.write(line + "\n")

    def ask(self, verb: str, **words: Any) -> None:
        """Give a command of the operator's."""
        ask_node(self.paper.run, OperatorRequest.model_validate({"verb": verb, **WHO, **words}))

    def until_entry(self, kind: str, count: int = 1) -> int:
        """Return our time when the journal has so many of a kind."""
        until(lambda: self.paper.counts_if_any().get(kind, 0) >= count, f"no {kind}", SLOW_S)
        return time.time_ns()

    def arrivals(self, kind: str, since_ns: int, event: str = "raised") -> list[int]:
        """Return when alerts of a kind arrived since then."""
        seen = self.pager.seen()
        return [each.ns for each in seen if (each.kind, each.event) == (kind, event) and each.ns >= since_ns]

    def is_told(self, kind: str, since_ns: int, condition_ns: int | None = None) -> None:
        """See that one arrived since then, and in time: after the condition, where that came of what was done then."""
        (first, *_) = until(lambda: self.arrivals(kind, since_ns), f"no {kind} at the web", SLOW_S)
        taken_s = (first - (condition_ns or since_ns)) / 1e9
        self.worst[kind] = max(self.worst.get(kind, 0.0), taken_s)
        assert taken_s < LIMIT_S, f"{kind} took {taken_s:.2f} s"

    def is_over(self, kind: str, since_ns: int) -> None:
        """See that one is over."""
        until(lambda: self.arrivals(kind, since_ns, "cleared"), f"{kind} was not cleared", SLOW_S)

    def pid(self, name: str) -> int:
        """Return a process of the run."""
        return int(self.paper.run.metadata()["pid"] if name == "node" else trace_of(self.paper.run, name)["pid"])


@contextmanager
def watched(folder: Path) -> Iterator[Watched]:
    """Give a run whose first sink refuses, and leave no process behind."""
    folder.mkdir(exist_ok=True)
    with observer(folder, "refuse") as first, observer(folder) as pager:
        run = Watched(folder / "run", first, pager)
        try:
            yield run
        finally:
            for name in (SUPERVISOR, AGENT, "node", VENUE):
                with suppress(ProcessLookupError, KeyError, FileNotFoundError, Exception):
                    os.kill(run.pid(name), signal.SIGKILL)
            if hasattr(run, "process"):
                run.process.communicate()


def stand_down(run: Watched) -> None:
    """An operator stands it down, and resumes it."""
    began = time.time_ns()
    run.ask("standdown")
    run.is_told("stand_down", began)
    run.ask("resume")
    run.is_over("stand_down", began)


def stall(run: Watched) -> None:
    """The node is stopped for a moment."""
    began, node = time.time_ns(), run.pid("node")
    os.kill(node, signal.SIGSTOP)
    run.is_told("node_stalled", began)
    os.kill(node, signal.SIGCONT)
    run.is_over("node_stalled", began)


def mute(run: Watched) -> None:
    """The market is held still, and goes on; a person resumes."""
    began = time.time_ns()
    run.paper.feed(is_paused=True)
    run.is_told("stale_data", began, began + int(STALE_S * 1e9))
    bars = run.paper.run.file("inputs.jsonl").stat().st_size
    run.paper.feed(is_paused=False)
    until(lambda: run.paper.run.file("inputs.jsonl").stat().st_size > bars, "no bar", SLOW_S)
    run.ask("resume")


REPEATED: list[tuple[Callable[[Watched], None], int, int]] = [
    (stand_down, 10, 100), (stall, 3, 100), (mute, 1, 10),
]  # fmt: skip


def test_each_kind_of_a_run_is_at_the_web_within_five_seconds(tmp_path: Path) -> None:
    """From a warning to a kill that is incomplete, and a hundred of those that a run can have so often."""
    with watched(tmp_path) as run:
        run.change("order_value: 2000 USDT", "order_value: 500 USDT\n  drawdown_warning: 0.000005")
        run.change("repeated_execution: 1000/min", "repeated_execution: 6/min")
        run.start()
        _trade(run)
        for provoke, few, many in REPEATED:
            for _ in range(scaled(few, many)):
                provoke(run)
        _lose(run)
        _break_limits_and_ledger(run)
        _kill(run)
        assert set(run.worst) == OF_A_RUN
        print("; ".join(f"{kind} {taken_s:.2f} s" for kind, taken_s in sorted(run.worst.items())))
    assert {kind.value for kind in AlertKind} == OF_A_RUN | APART | NOT_PROVOKED


def _trade(run: Watched) -> None:
    began = time.time_ns()
    run.tell("buy")
    run.is_told("limit_warning", began)
    run.is_told("drawdown", began)
    run.until_entry("OrderFilled")
    run.tell("stop")
    run.until_entry("OrderAccepted", 2)
    run.ask("standdown")
    began = time.time_ns()
    run.tell("cancel_stop")
    run.is_told("position_left", began)
    run.ask("resume")


def _lose(run: Watched) -> None:
    first, began = run.pid(AGENT), time.time_ns()
    os.kill(first, signal.SIGKILL)
    run.is_told("agent_dead", began)
    until(lambda: trace_of(run.paper.run, AGENT).get("pid") not in (None, first), "no other agent", SLOW_S)
    run.script.write_text("")
    began = time.time_ns()
    os.kill(run.pid("node"), signal.SIGKILL)
    run.is_told("node_dead", began)
    run.until_running(2)


def _break_limits_and_ledger(run: Watched) -> None:
    began = time.time_ns()
    for _ in range(8):
        run.tell("add")
    run.is_told("limit_breach", began, run.until_entry("LatchClosed"))
    (ledger,) = run.paper.roots.runtime.glob("ledger/*/*.jsonl")
    with ledger.open("ab") as journal:
        journal.write(b"garbage\n")
    began = time.time_ns()
    run.tell("reduce")
    run.is_told("corruption_guard", began)


def _kill(run: Watched) -> None:
    began = time.time_ns()
    os.kill(run.pid(SUPERVISOR), signal.SIGKILL)
    run.is_told("supervisor_dead", began)
    os.kill(run.pid("node"), signal.SIGSTOP)
    run.paper.control("POST", "/fault", {"kind": "reject", "count": 1_000})
    command = [sys.executable, "-P", "-m", "tc", "kill", "activate", "paper", "--by", "Ada", "--reason", "drill"]
    given_ns = int(start_s(run.paper) * 1e9)
    began = time.time_ns()
    run.paper.roots.kill_switch.write_text("")  # unreadable counts as closed
    with subprocess.Popen(command, env=run.paper.environment, stderr=subprocess.PIPE, text=True) as killing:
        for kind in ("kill_activated", "not_latched", "kill_stage"):
            run.is_told(kind, began, began + given_ns)
        run.is_told("kill_incomplete", began, began + given_ns + int(INCOMPLETE_S * 1e9))
        killing.communicate(timeout=SLOW_S)
    assert killing.returncode == 6
    run.paper.control("POST", "/fault", {"kind": "clear"})
    until(lambda: not any(float(row["quantity"]) for row in run.paper.truth()["positions"].values()), "held", SLOW_S)
    run.is_told("kill_confirmed", began, time.time_ns() + int(SETTLED_S * 1e9))
    run.paper.roots.kill_switch.unlink()


def test_a_run_that_is_given_up_is_told_within_five_seconds(tmp_path: Path) -> None:
    """No restart is left as its node dies."""
    with watched(tmp_path) as run:
        run.change("max_restarts: 3", "max_restarts: 0")
        run.start()
        began = time.time_ns()
        os.kill(run.pid("node"), signal.SIGKILL)
        run.is_told("give_up", began)
        run.process.communicate(timeout=SLOW_S)


@needs("tmpfs")
def test_a_journal_that_takes_no_more_is_told_within_five_seconds(tmp_path: Path) -> None:
    """Its disk is full: said by the supervisor, since the journal cannot."""
    with watched(tmp_path) as run:
        run.paper.roots.artifacts.parent.mkdir(exist_ok=True)
        with mounted(run.paper.roots.artifacts, "-t", "tmpfs", "-o", "size=4m", "none") as disk:
            run.start()
            with suppress(OSError), (disk / "ballast").open("wb", buffering=0) as ballast:
                while True:
                    ballast.write(bytes(4096))
            began = time.time_ns()
            run.is_told("journal_poisoned", began)
            run.process.communicate(timeout=SLOW_S)
            assert run.process.returncode == 5
