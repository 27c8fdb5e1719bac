"""Carry a drill out on one run: prepare, break, observe, take back, judge. What happens is told and never raised."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import current_thread, main_thread
from types import FrameType
from typing import Any

from tc.clock import Clock
from tc.drills.demo import DemoRun
from tc.drills.drill import Drill
from tc.drills.environment import describe_processes, journal_range
from tc.drills.experiment import Experiment, NotLanded, NotReady, Say
from tc.drills.target import Target
from tc.drills.verdict import Findings, Judgment, judge
from tc.errors import TcError

SAMPLES_MAX = 400


@dataclass
class Conducted:
    """One drill that was carried out, however it went."""

    target: Target
    findings: Findings
    judgment: Judgment
    started_ns: int
    seconds: float
    timeline: list[dict[str, Any]]
    samples: list[dict[str, Any]]
    notes: dict[str, Any]
    processes: list[dict[str, Any]]
    journal: dict[str, Any]
    command: str
    is_own_run: bool
    is_interrupted: bool
    cut: str | None = None


def conduct(
    drill: Drill, target: Target, clock: Clock, say: Say, command: str, demo: DemoRun | None, cut: str | None = None
) -> Conducted:
    """Carry it out on a run, which is the drill's own where `demo` is given: that one is started and ended here."""
    started_ns = clock.now_ns()
    experiment = Experiment(drill, target, clock, say)
    processes: list[dict[str, Any]] = []
    is_interrupted = False
    try:
        with _interruptible():
            _prepare(experiment, demo)
            processes = describe_processes(target)
            drill.steps(experiment)
    except NotReady:
        pass
    except NotLanded as missed:
        experiment.findings.problem = f"the fault was not proven: {missed}"
    except TcError as fault:
        experiment.findings.problem = str(fault)
    except KeyboardInterrupt:
        is_interrupted = True
        experiment.findings.problem = "interrupted by the operator"
    except Exception as bug:
        bug.add_note(f"in drill {drill.name}; its faults were taken back")
        with _undisturbed():
            experiment.roll_back()
            if demo is not None:
                demo.destroy()
        raise
    with _undisturbed() as pressed:
        experiment.roll_back()
        if demo is not None and not is_interrupted and cut is None:
            _end(experiment, demo)
        journal = journal_range(target)
        if demo is not None:
            demo.destroy()
    is_interrupted |= bool(pressed)
    judgment = judge(drill.thresholds, experiment.findings)
    experiment.mark(f"verdict: {judgment.verdict}", "verdict")
    observed = [] if experiment.observer is None else experiment.observer.samples
    return Conducted(
        target, experiment.findings, judgment, started_ns, experiment.now, experiment.timeline,
        [one.as_json() for one in _thinned(observed)], experiment.notes, processes, journal, command,
        demo is not None, is_interrupted, cut,
    )  # fmt: skip


def _prepare(experiment: Experiment, demo: DemoRun | None) -> None:
    experiment.mark("a run of the drill's own is started" if demo else "the run is looked at", "setup")
    if demo is not None:
        try:
            demo.start()
        except TcError as fault:
            experiment.require("the drill's own run trades", False, fault)
    experiment.target.venue.require()
    experiment.require("the run's node, agent and supervisor live",
                       {"node", "agent", "supervisor"} <= {one.part for one in experiment.target.processes()},
                       ", ".join(f"{one.part} {one.pid}" for one in experiment.target.processes()))  # fmt: skip


def _end(experiment: Experiment, demo: DemoRun) -> None:
    """End the drill's own run, and keep how it ended."""
    demo.end_run()
    run = demo.target.run
    if not run.path.is_dir():
        return
    metadata = run.metadata()
    experiment.notes["run_ended"] = {
        "is_sealed": run.is_sealed, "status": run.status(metadata), "reason": metadata.get("reason"),
        "exit_code": demo.exit_code(0.1),
        "reconciliation": run.document("reconciliation_result.json")["verdict"] if run.is_sealed else None,
    }  # fmt: skip
    experiment.mark(f"the run ended: {metadata['status']}", "setup")


def _thinned(samples: list[Any]) -> list[Any]:
    """Return as many as a picture needs: every change and, between, evenly spread ones."""
    if len(samples) <= SAMPLES_MAX:
        return samples
    step = len(samples) // SAMPLES_MAX + 1
    kept: list[Any] = []
    for number, one in enumerate(samples):
        before = samples[max(0, number - 1)]
        is_change = (one.working, one.exposure) != (before.working, before.exposure)
        if number % step == 0 or (is_change and len(kept) < 2 * SAMPLES_MAX) or number == len(samples) - 1:
            kept.append(one)
    return kept


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let SIGTERM be what Ctrl-C is, also where that was ignored: who ends us must not leave a fault behind."""
    if current_thread() is not main_thread():
        yield
        return

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _undisturbed() -> Iterator[list[int]]:
    """Let Ctrl-C wait: what was broken is taken back first."""
    pressed: list[int] = []

    def remember(number: int, _frame: FrameType | None) -> None:
        pressed.append(number)

    numbers = (signal.SIGINT, signal.SIGTERM) if current_thread() is main_thread() else ()
    before = {number: signal.signal(number, remember) for number in numbers}
    try:
        yield pressed
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
