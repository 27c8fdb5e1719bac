"""The way to one sink: its own queue and its own thread, so that no sink ever waits for another.

Alerts that were not tried yet go first, the most severe ahead; those that failed are tried again with a growing delay.
All that waits leaves together, so that a thousand alerts delay a new one by one sending, not by a thousand.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from tc.alert.alert import Alert, Severity
from tc.alert.sinks import SEND_S, Sink, SinkFailed, problem_of
from tc.clock import SYSTEM_CLOCK, Clock, iso_utc

BATCH_MAX = 1_000
WAITING_MAX = 10_000
RETRY_FIRST_S = 0.5
RETRY_MAX_S = 30.0
HANGING_MAX = 4
_GRACE_S = 0.5  # what a sink that bounds itself may take longer than it said


@dataclass(frozen=True)
class Parcel:
    """An alert on its way to one sink; `raised_mono_ns` is when it was raised, on the monotonic clock.

    With `cleared_ns`, UNIX nanoseconds, it says that its condition is over, and `raised_mono_ns` is when that was said.
    """

    alert: Alert
    raised_mono_ns: int
    attempts: int = 0
    due_ns: int = 0
    cleared_ns: int | None = None

    @property
    def event(self) -> str:
        """What is said of it."""
        if self.cleared_ns is not None:
            return "cleared"
        return "escalated" if self.alert.escalation else "raised"

    @property
    def rank(self) -> int:
        """Its place in a queue; that something is over wakes nobody."""
        return Severity.INFO.rank if self.cleared_ns is not None else self.alert.severity.rank


@dataclass(frozen=True)
class Outcome:
    """What became of one attempt; `problem` None where the sink took it, `latency_ns` from raising to that."""

    sink: str
    alert: Alert
    attempts: int
    latency_ns: int
    problem: str | None
    is_given_up: bool = False
    event: str = "raised"


class Lane:
    """Sends to one sink; `on_outcome` is called on the lane's thread after every attempt and must not block."""

    def __init__(self, sink: Sink, on_outcome: Callable[[Outcome], None], clock: Clock = SYSTEM_CLOCK) -> None:
        self.name = sink.name
        self._sink = sink
        self._on_outcome = on_outcome
        self._clock = clock
        self._changed = threading.Condition()  # reentrant: a signal handler may raise an alert, too
        self._waiting: dict[str, Parcel] = {}
        self._batch = BATCH_MAX
        self._is_turn_of_old = False
        self._hanging = 0
        self._is_closing = False
        self._thread = threading.Thread(target=self._work, name=f"alert sink {self.name}", daemon=True)
        self._thread.start()

    def put(self, parcel: Parcel) -> None:
        """Queue an alert; it replaces what waits of the same one. Never blocks."""
        dropped: Parcel | None = None
        with self._changed:
            self._waiting.pop(parcel.alert.alert_id, None)
            if len(self._waiting) >= WAITING_MAX:
                last = max(self._waiting.values(), key=lambda each: (each.rank, each.attempts))
                dropped = self._waiting.pop(last.alert.alert_id)
            self._waiting[parcel.alert.alert_id] = parcel
            self._changed.notify_all()
        if dropped is not None:
            self._tell(dropped, f"more than {WAITING_MAX} were waiting", is_given_up=True)

    def start_closing(self) -> None:
        """Try once more what waits, whatever its delay, and end."""
        with self._changed:
            self._is_closing = True
            for name, parcel in self._waiting.items():
                self._waiting[name] = replace(parcel, due_ns=0)
            self._changed.notify_all()

    def join(self, timeout_s: float) -> bool:
        """Wait for the end of a lane that is closing; return whether nothing is left."""
        self._thread.join(max(0.0, timeout_s))
        return not self._thread.is_alive() and not self._waiting

    def _work(self) -> None:
        while (parcels := self._next()) is not None:
            problem = self._attempt(parcels)
            with self._changed:
                is_new = not parcels[0].attempts
                if problem is not None:  # one that no sink takes must not keep others, so the failed ones part
                    self._batch = max(1, len(parcels) // 2)
                elif not is_new:
                    self._batch = min(BATCH_MAX, self._batch * 2)
                self._is_turn_of_old = problem is None and is_new
                if problem is not None:
                    self._put_back(parcels)
            for parcel in parcels:
                self._tell(parcel, problem)

    def _next(self) -> list[Parcel] | None:
        # The parcels to be sent now, waiting for some; None where the lane is closed.
        with self._changed:
            while True:
                now = self._clock.monotonic_ns()
                waiting = self._waiting.values()
                if self._is_closing:
                    ready = [each for each in waiting if not each.due_ns]
                    if not ready:
                        return None
                else:
                    ready = self._choose(now)
                if ready:
                    ready.sort(key=lambda each: (each.rank, each.alert.raised_ns))
                    taken = ready[: self._batch if ready[0].attempts else BATCH_MAX]
                    for each in taken:
                        del self._waiting[each.alert.alert_id]
                    return taken
                due = min((each.due_ns for each in waiting), default=None)
                self._changed.wait(None if due is None else (due - now) / 1e9)

    def _choose(self, now: int) -> list[Parcel]:
        # What is new goes first; between two sendings of it that worked the older ones get one, or they never would.
        new = [each for each in self._waiting.values() if not each.attempts]
        old = [each for each in self._waiting.values() if each.attempts and each.due_ns <= now]
        is_turn_of_old = bool(old) and (not new or self._is_turn_of_old)
        self._is_turn_of_old = False
        return old if is_turn_of_old else new

    def _put_back(self, parcels: list[Parcel]) -> None:
        now = self._clock.monotonic_ns()
        for parcel in parcels:
            delay_s = min(RETRY_MAX_S, RETRY_FIRST_S * 2 ** min(parcel.attempts, 10))
            again = replace(parcel, attempts=parcel.attempts + 1, due_ns=now + int(delay_s * 1e9))
            self._waiting.setdefault(parcel.alert.alert_id, again)  # an escalation that came meanwhile is newer

    def _attempt(self, parcels: list[Parcel]) -> str | None:
        # A thread of its own, given up where it hangs: names are looked up, and disks written, without any timeout.
        if self._hanging >= HANGING_MAX:
            return "earlier attempts still hang"
        sent_ns = self._clock.now_ns()
        documents = [self._document(parcel, sent_ns) for parcel in parcels]
        done: list[str | None] = []
        self._hanging += 1
        thread = threading.Thread(target=self._send, args=(documents, done), daemon=True)
        thread.start()
        thread.join(SEND_S + _GRACE_S)
        return done[0] if done else f"not within {SEND_S:g} s"

    def _send(self, documents: list[dict[str, Any]], done: list[str | None]) -> None:
        try:
            self._sink.send(documents)
            done.append(None)
        except SinkFailed as error:
            done.append(str(error))
        except Exception as error:  # noqa: BLE001 - whatever a sink does, its lane goes on
            done.append(problem_of(error))
        finally:
            with self._changed:
                self._hanging -= 1

    def _document(self, parcel: Parcel, sent_ns: int) -> dict[str, Any]:
        latency_ns = self._clock.monotonic_ns() - parcel.raised_mono_ns
        said = {**parcel.alert.as_json(), "event": parcel.event}
        if parcel.cleared_ns is not None:
            said |= {"cleared_ns": parcel.cleared_ns, "cleared": iso_utc(parcel.cleared_ns)}
        return {**said, "sent_ns": sent_ns, "sent": iso_utc(sent_ns), "latency_ns": latency_ns}

    def _tell(self, parcel: Parcel, problem: str | None, *, is_given_up: bool = False) -> None:
        latency_ns = self._clock.monotonic_ns() - parcel.raised_mono_ns
        attempts = parcel.attempts + (not is_given_up)
        self._on_outcome(Outcome(self.name, parcel.alert, attempts, latency_ns, problem, is_given_up, parcel.event))
