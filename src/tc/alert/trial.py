"""A test alert to every sink at once: does it arrive, and how soon."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tc.alert.alert import Alert, AlertKind, make_alert_id
from tc.alert.lane import Lane, Outcome, Parcel
from tc.alert.sinks import SEND_S, Sink
from tc.clock import SYSTEM_CLOCK, Clock

WAIT_S = SEND_S + 1.0


@dataclass(frozen=True)
class Trial:
    """What one sink did with it; `problem` None where it took it, `latency_ns` from raising to then."""

    sink: str
    latency_ns: int
    problem: str | None


def try_sinks(sinks: Sequence[Sink], run_id: str, clock: Clock = SYSTEM_CLOCK) -> list[Trial]:
    """Send one test alert to each sink, once, and return what became of it, in their order."""
    now = clock.now_ns()
    kind = AlertKind.test
    alert = Alert(
        alert_id=make_alert_id(run_id, kind, now),
        kind=kind,
        severity=kind.severity,
        run_id=run_id,
        what="a test: nothing has happened",
        where="tc alerts test",
        since_ns=now,
        raised_ns=now,
        key="",
        runbook=kind.runbook,
    )
    found: dict[str, Outcome] = {}

    def note(outcome: Outcome) -> None:
        found.setdefault(outcome.sink, outcome)

    lanes = [Lane(sink, note, clock) for sink in sinks]
    for lane in lanes:
        lane.put(Parcel(alert, clock.monotonic_ns()))
        lane.start_closing()
    for lane in lanes:
        lane.join(WAIT_S)
    trials = []
    for sink in sinks:
        outcome = found.get(sink.name)
        trials.append(
            Trial(sink.name, outcome.latency_ns, outcome.problem)
            if outcome is not None
            else Trial(sink.name, int(WAIT_S * 1e9), "did not answer")
        )
    return trials
