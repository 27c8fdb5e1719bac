"""The desk that alerts are raised at: it queues them for every sink and the journal, and never waits for either."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tc.alert.alert import Alert, AlertKind, Severity, make_alert_id, plain_text
from tc.alert.book import CLEARED, ESCALATED, FAILED, RAISED, SENT, Kept, Owner
from tc.alert.lane import Lane, Outcome, Parcel
from tc.alert.recorder import Recorder
from tc.alert.sinks import Sink
from tc.clock import SYSTEM_CLOCK, Clock
from tc.ids import plain_id

ESCALATE_S = 300.0
STUCK_S = 5.0
ADOPTED_AGE_MAX_S = 86_400.0
OWN_KEY = "alerts"
_RECORDER_PART = 0.2  # of the time to close; the sinks have the rest

_desks = itertools.count(1)


@dataclass
class _Open:
    """An alert whose condition was not cleared; `at_ns` is when it was sent last, on the monotonic clock."""

    alert: Alert
    at_ns: int
    is_acknowledged: bool = False


class AlertDesk:
    """Raises alerts of one run; `folder` holds the journal `<run_id>.jsonl`, which desks of other processes share.

    At least once: what was raised and not sent by a process that is gone is sent by the next desk on the same folder.
    """

    def __init__(
        self,
        folder: Path,
        sinks: Sequence[Sink],
        *,
        run_id: str,
        clock: Clock = SYSTEM_CLOCK,
        escalate_after_s: float = ESCALATE_S,
    ) -> None:
        self.run_id = plain_id(run_id, "run id")
        self._clock = clock
        self._escalate_after_s = escalate_after_s
        self._mutex = threading.RLock()  # reentrant: a signal handler may raise an alert, too
        self._open: dict[tuple[AlertKind, str], _Open] = {}
        self._adopted: dict[str, _Open] = {}
        self._number = itertools.count(1)
        self._is_closed = False
        self._ended = threading.Event()
        self._owner = Owner.of_desk(next(_desks))
        self._lanes = [Lane(sink, self._note, clock) for sink in sinks]
        self._recorder = Recorder(
            journal_of(folder, run_id),
            self._owner,
            wants=self._wants,
            on_adopted=self._take_over,
            on_acknowledged=self._note_acknowledged,
            on_fault=self._note_fault,
            clock=clock,
        )
        self._escalator = threading.Thread(target=self._escalate, name="alert escalation", daemon=True)
        self._escalator.start()

    def raise_alert(
        self, kind: AlertKind, what: str, *, where: str = "", since_ns: int | None = None, key: str = ""
    ) -> Alert | None:
        """Queue an alert for every sink and return it; None where the same kind and key is open already.

        None after close, too. `since_ns` is when the condition began, UNIX nanoseconds; None, or what is not in the
        past, is now. Never waits for a sink or a disk and never raises for one.
        """
        key = plain_text(key)
        with self._mutex:
            known = self._open.get((kind, key))
            if known is not None:
                known.alert = replace(known.alert, repeats=known.alert.repeats + 1)
            if known is not None or self._is_closed:
                return None
            self._clear_adopted(kind, key)
            alert = self._make(kind, plain_text(what), plain_text(where), since_ns, key)
            self._open[kind, key] = _Open(alert, self._clock.monotonic_ns())
            self._recorder.add(RAISED, {**alert.as_json(), "owner": self._owner.as_json()})
            self._send(alert)
            return alert

    def clear(self, kind: AlertKind, key: str = "") -> None:
        """Say that a condition is over, to every sink, too: it escalates no more, and raised again is a new alert."""
        key = plain_text(key)
        with self._mutex:
            known = self._open.pop((kind, key), None)
            if known is not None:
                self._tell_cleared(known.alert)
            self._clear_adopted(kind, key)

    def close(self, timeout_s: float = 5.0) -> None:
        """Let what is queued leave, each once more, and end; what did not leave is left to the next desk."""
        with self._mutex:
            if self._is_closed:
                return
            self._is_closed = True
        self._ended.set()
        started_ns = self._clock.monotonic_ns()
        for lane in self._lanes:
            lane.start_closing()
        for lane in self._lanes:
            lane.join(timeout_s * (1 - _RECORDER_PART) - (self._clock.monotonic_ns() - started_ns) / 1e9)
        self._recorder.close(timeout_s - (self._clock.monotonic_ns() - started_ns) / 1e9)

    def _make(self, kind: AlertKind, what: str, where: str, since_ns: int | None, key: str) -> Alert:
        now = self._clock.now_ns()
        return Alert(
            alert_id=make_alert_id(self.run_id, kind, key, now, self._owner, next(self._number)),
            kind=kind,
            severity=kind.severity,
            run_id=self.run_id,
            what=what,
            where=where,
            since_ns=now if since_ns is None or not 0 <= since_ns <= now else since_ns,
            raised_ns=now,
            key=key,
            runbook=kind.runbook,
        )

    def _send(self, alert: Alert) -> None:
        parcel = Parcel(alert, self._clock.monotonic_ns())
        for lane in self._lanes:
            lane.put(parcel)

    def _note(self, outcome: Outcome) -> None:
        facts = {
            "alert_id": outcome.alert.alert_id,
            "sink": outcome.sink,
            "event": outcome.event,
            "escalation": outcome.alert.escalation,
            "attempts": outcome.attempts,
            "latency_ns": outcome.latency_ns,
        }
        if outcome.problem is None:
            self._recorder.add(SENT, facts)
        elif outcome.attempts == 1 or outcome.is_given_up:  # a dead sink must not fill the disk
            facts |= {"problem": outcome.problem, "is_given_up": outcome.is_given_up}
            self._recorder.add(FAILED, facts)

    def _tell_cleared(self, alert: Alert) -> None:
        self._note_cleared(alert)
        if not self._is_closed:  # it replaces what waits still: one message says both then
            parcel = Parcel(alert, self._clock.monotonic_ns(), cleared_ns=self._clock.now_ns())
            for lane in self._lanes:
                lane.put(parcel)

    def _note_cleared(self, alert: Alert) -> None:
        self._recorder.add(CLEARED, {"alert_id": alert.alert_id, "repeats": alert.repeats})

    def _clear_adopted(self, kind: AlertKind, key: str) -> None:
        for name, each in list(self._adopted.items()):
            if (each.alert.kind, each.alert.key) == (kind, key):
                del self._adopted[name]
                self._tell_cleared(each.alert)

    def _note_acknowledged(self, alert_ids: set[str]) -> None:
        with self._mutex:
            for each in (*self._open.values(), *self._adopted.values()):
                if each.alert.alert_id in alert_ids:
                    each.is_acknowledged = True

    def _note_fault(self, problem: str | None) -> None:
        if problem is None:
            self.clear(AlertKind.journal_poisoned, OWN_KEY)
        else:
            what = f"alerts are sent but not recorded: {problem}"
            self.raise_alert(AlertKind.journal_poisoned, what, where="the journal of alerts", key=OWN_KEY)

    def _wants(self, kept: Kept) -> bool:
        if kept.acknowledged_ns is not None:
            return False
        if kept.cleared_ns is None and kept.alert.severity is Severity.PAGE:
            return True
        age_s = (self._clock.now_ns() - kept.alert.raised_ns) / 1e9
        return age_s < ADOPTED_AGE_MAX_S and any(lane.name not in kept.sent for lane in self._lanes)

    def _take_over(self, orphans: list[Kept]) -> None:
        now_ns, mono_ns = self._clock.now_ns(), self._clock.monotonic_ns()
        with self._mutex:
            for kept in orphans:
                alert = kept.alert
                if (alert.kind, alert.key) in self._open:
                    self._note_cleared(alert)  # this desk noticed the same condition itself
                elif kept.cleared_ns is None:
                    self._adopted[alert.alert_id] = _Open(alert, mono_ns)
                parcel = Parcel(alert, mono_ns - (now_ns - alert.raised_ns), attempts=1)
                for lane in self._lanes:
                    if lane.name not in kept.sent:
                        lane.put(parcel)

    def _escalate(self) -> None:
        was_stuck = False
        while not self._ended.wait(min(1.0, self._escalate_after_s / 4)):
            is_stuck = self._recorder.stuck_s > STUCK_S
            if is_stuck != was_stuck:
                self._note_fault("the disk does not answer" if is_stuck else None)
            was_stuck = is_stuck
            now = self._clock.monotonic_ns()
            with self._mutex:
                for each in (*self._open.values(), *self._adopted.values()):
                    is_due = now - each.at_ns >= self._escalate_after_s * 1e9
                    if is_due and not each.is_acknowledged and each.alert.severity is Severity.PAGE:
                        self._send_again(each, now)

    def _send_again(self, each: _Open, now: int) -> None:
        each.at_ns = now
        each.alert = alert = replace(each.alert, escalation=each.alert.escalation + 1)
        facts = {"alert_id": alert.alert_id, "escalation": alert.escalation, "repeats": alert.repeats}
        self._recorder.add(ESCALATED, facts)
        self._send(alert)


def journal_of(folder: Path, run_id: str) -> Path:
    """Return where the alerts of a run are recorded."""
    return folder / f"{run_id}.jsonl"


def log_of(folder: Path, run_id: str) -> Path:
    """Return the file of a run's log sink."""
    return folder / f"{run_id}.log.jsonl"
