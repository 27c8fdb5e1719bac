"""One drill being carried out: what its steps may do, all of it kept on one monotonic clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tc.clock import Clock
from tc.drills.drill import Drill
from tc.drills.fault import Fault
from tc.drills.observer import Observer
from tc.drills.target import Target
from tc.drills.venue_port import VenueAway
from tc.drills.verdict import Check, Findings
from tc.errors import TcError

POLL_S = 0.02
LAND_S = 10.0
GONE_S = 5.0

Say = Callable[[str], None]


class NotReady(Exception):
    """A precondition does not hold: the drill proves nothing here and now."""


class NotLanded(Exception):
    """A fault could not be proven."""


class Experiment:
    """What the steps of a drill see. `target` is the run; times are seconds since the drill began."""

    def __init__(self, drill: Drill, target: Target, clock: Clock, say: Say) -> None:
        self.drill = drill
        self.target = target
        self.case = drill.case
        self.findings = Findings()
        self.timeline: list[dict[str, Any]] = []
        self.observer: Observer | None = None
        self.notes: dict[str, Any] = {}
        self._clock = clock
        self._say = say
        self._began_ns = clock.monotonic_ns()
        self._faults: list[Fault] = []

    @property
    def now(self) -> float:
        """Seconds since the drill began."""
        return (self._clock.monotonic_ns() - self._began_ns) / 1e9

    def wall_ns(self) -> int:
        """Return the wall clock, to hold journal stamps against."""
        return self._clock.now_ns()

    def mark(self, what: str, kind: str = "note") -> float:
        """Put a moment on the timeline and return it."""
        now = self.now
        self.timeline.append({"t_s": round(now, 4), "kind": kind, "what": what})
        self._say(what)
        return now

    def pause(self, seconds: float) -> None:
        """Let time pass."""
        self._clock.sleep(seconds)

    def require(self, what: str, is_met: bool, found: object = "") -> None:
        """Keep a precondition; raises NotReady where it does not hold."""
        self.findings.preconditions.append(self._check(what, is_met, found))
        if not is_met:
            raise NotReady(what)

    def await_ready(self, what: str, condition: Callable[[], Any], within_s: float = 30.0) -> Any:
        """Wait for a precondition and return what it came to."""
        found = self.until(condition, within_s)
        self.require(what, found is not None, "yes" if found is not None else f"not within {within_s:g} s")
        return found

    def inject(self, fault: Fault, *, is_proven_later: bool = False) -> float:
        """Bring a fault in, prove it, and return when; it is taken back at the end whatever happens.

        Raises:
            NotLanded: nothing shows it within ten seconds.
        """
        self._faults.append(fault)
        at = self.mark(fault.what, "fault")
        fault.bring_in(self.target)
        if not is_proven_later:
            self.prove(fault)
        return at

    def prove(self, fault: Fault) -> None:
        """Wait for the proof that a fault landed."""
        found = self.until(lambda: fault.proof(self.target), LAND_S)
        self.landed(fault.what, found is not None, found or f"nothing showed it within {LAND_S:g} s")

    def landed(self, what: str, is_met: bool, found: object) -> None:
        """Keep a proof of the fault; raises NotLanded where there is none."""
        self.findings.landed.append(self._check(what, is_met, found))
        self.mark(f"landed: {found}" if is_met else f"did not land: {what}", "proof")
        if not is_met:
            raise NotLanded(what)

    def measure(self, name: str, value: float | None) -> None:
        """Keep a measurement; None is what never happened."""
        assert any(one.name == name for one in self.drill.thresholds), f"{name} has no threshold"
        self.findings.measured[name] = value
        self.mark(f"{name} = {'never' if value is None else format(value, 'g')}", "measure")

    def after(self, what: str, is_met: bool, found: object = "") -> None:
        """Keep what must hold again once the fault is gone."""
        self.findings.after.append(self._check(what, is_met, found))

    def until(self, condition: Callable[[], Any], within_s: float | None = None) -> Any:
        """Return the first true value of a condition, None where there is none in time (default: the window)."""
        end = self.now + (self.drill.window_s if within_s is None else within_s)
        while True:
            try:
                found = condition()
            except VenueAway:
                found = None
            if found:
                return found
            if self.now > end:
                return None
            self._clock.sleep(POLL_S)

    def seconds_until(self, condition: Callable[[], Any], since: float, within_s: float | None = None) -> float | None:
        """Return how long after a moment a condition came true; None where it did not in time."""
        return None if self.until(condition, within_s) is None else self.now - since

    @contextmanager
    def observed(self) -> Iterator[Observer]:
        """Watch the venue's ground truth meanwhile; what was seen is evidence."""
        with Observer(self.target.venue, self._clock, self._began_ns) as observer:
            self.observer = observer
            yield observer

    def lift(self, fault: Fault) -> float:
        """Take one fault back before the drill is over, and return when it was gone."""
        self._take_back(fault)
        self._faults.remove(fault)  # not before: Ctrl-C in between, and nobody would take it back
        return self.now

    def roll_back(self) -> None:
        """Take back every fault, the last first, and see each gone; safe to call again."""
        while self._faults:
            self.lift(self._faults[-1])

    def _take_back(self, fault: Fault) -> None:
        try:
            fault.take_back(self.target)
            left = self._gone(fault)
        except VenueAway:
            left = None  # it went with its venue
        except TcError as error:
            left = str(error)
        self.findings.rollbacks.append(self._check(f"taken back: {fault.what}", left is None, left or "gone"))
        self.mark(f"taken back: {fault.what}" if left is None else f"NOT taken back: {fault.what}", "rollback")

    def _gone(self, fault: Fault) -> str | None:
        end = self.now + GONE_S
        while (left := fault.remains(self.target)) is not None and self.now < end:
            self._clock.sleep(POLL_S)
        return left

    def _check(self, what: str, is_met: bool, found: object) -> Check:
        return Check(what, is_met, str(found), self.now)
