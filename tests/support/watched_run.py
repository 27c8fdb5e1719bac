"""A paper run of which every alert is stamped by an observer outside, while the first sink refuses."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from support.alert_lab import Observer, observer
from support.paper_lab import Paper
from support.venue_process import until
from tc.alert.alert import AlertKind
from tc.alert.desk import AlertDesk
from tc.model.operator_request import OperatorRequest
from tc.runs.control import ask_node
from tc.runs.kill_order import AGENT
from tc.runs.paper import SUPERVISOR, VENUE
from tc.store.control_address import control_path
from tc.store.roots import Roots
from tc.store.run_directory import trace_of

LIMIT_S = 5.0
SLOW_S = 240.0
OTHERS = 1_000
STALE_S = 2.0
WHO = {"by": "Ada", "reason": "drill"}


def queue_others(roots: Roots) -> None:
    """Leave a thousand alerts of a dead process, for the next to send."""
    desk = AlertDesk(roots.alerts, [], run_id="paper")
    for number in range(OTHERS):
        desk.raise_alert(AlertKind.limit_warning, "one of many", key=f"other {number}")
    desk.close(30)


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
        queue_others(self.paper.roots)
        self.process = self.paper.start()
        self.until_running(1)
        until(lambda: len(self.pager.seen()) >= OTHERS, "the others did not arrive", SLOW_S)

    def until_running(self, attempt: int) -> None:
        """Wait until that start of its node listens."""
        until(lambda: self.paper.counts_if_any().get("NodeStarted", 0) >= attempt, "it did not start", SLOW_S)
        until(lambda: control_path(self.paper.run.scratch).exists(), "it does not listen", SLOW_S)

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
    run.is_told("health_check", began)
    os.kill(node, signal.SIGCONT)
    run.is_over("node_stalled", began)
    run.is_over("health_check", began)


def mute(run: Watched) -> None:
    """The market is held still, and goes on; a person resumes."""
    began = time.time_ns()
    run.paper.feed(is_paused=True)
    run.is_told("stale_data", began, began + int(STALE_S * 1e9))
    bars = run.paper.run.file("inputs.jsonl").stat().st_size
    run.paper.feed(is_paused=False)
    until(lambda: run.paper.run.file("inputs.jsonl").stat().st_size > bars, "no bar", SLOW_S)
    run.ask("resume")


def stall_agent(run: Watched) -> None:
    """The kill agent is stopped for a moment."""
    began, agent = time.time_ns(), run.pid(AGENT)
    os.kill(agent, signal.SIGSTOP)
    run.is_told("agent_stalled", began)
    os.kill(agent, signal.SIGCONT)
    run.is_over("agent_stalled", began)
