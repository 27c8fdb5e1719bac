"""What a drill came to: pure rules over what was required, proven, measured and rolled back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Verdict(StrEnum):
    """How a drill ended."""

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    DEVIATED = "deviated"
    INCONCLUSIVE = "inconclusive"
    INVALID = "invalid"


@dataclass(frozen=True)
class Threshold:
    """What a measurement must be: at most, at least, or both; in a unit. Fixed before the fault."""

    name: str
    what: str
    unit: str
    most: float | None = None
    least: float | None = None

    def is_met(self, value: float | None) -> bool:
        """Tell whether a value is within; None means that it never happened, which no bound allows."""
        if value is None:
            return False
        return (self.most is None or value <= self.most) and (self.least is None or value >= self.least)

    def bound(self) -> str:
        """Return it in words."""
        if self.most is not None and self.most == self.least:
            return f"{self.most:g} {self.unit}"
        low = "" if self.least is None else f"at least {self.least:g}"
        high = "" if self.most is None else f"at most {self.most:g}"
        return f"{' and '.join(filter(None, (low, high)))} {self.unit}"

    def as_json(self) -> dict[str, Any]:
        """Return it as it is hashed and kept."""
        return dict(vars(self))


@dataclass(frozen=True)
class Check:
    """One thing looked at: what must hold, whether it did, what was found, and when on the drill's clock."""

    what: str
    is_met: bool
    found: str
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """Return it as it is kept."""
        return {"what": self.what, "met": self.is_met, "found": self.found, "t_s": round(self.seconds, 4)}


@dataclass
class Findings:
    """What an experiment brought in.

    `measured` has a number for each threshold, None where what it waits for did not happen in the whole window; a
    threshold without an entry was not measured. `problem` says what broke the experiment off.
    """

    preconditions: list[Check] = field(default_factory=list)
    landed: list[Check] = field(default_factory=list)
    measured: dict[str, float | None] = field(default_factory=dict)
    after: list[Check] = field(default_factory=list)
    rollbacks: list[Check] = field(default_factory=list)
    problem: str | None = None


@dataclass(frozen=True)
class Judgment:
    """The verdict, and why in words."""

    verdict: Verdict
    reasons: tuple[str, ...]


def judge(thresholds: Sequence[Threshold], findings: Findings) -> Judgment:
    """Return what the findings come to.

    The order is that of trust: an experiment that was not ready proves nothing, one whose fault did not land neither;
    then a broken threshold counts, also where the rest could not be measured; a pass needs all of it, and that the
    system is where it was.
    """
    unready = [f"not ready: {one.what}; found {one.found}" for one in findings.preconditions if not one.is_met]
    if unready or not findings.preconditions:
        return Judgment(Verdict.INVALID, tuple(unready) or (findings.problem or "nothing was ready",))
    missed = [f"not proven: {one.what}; found {one.found}" for one in findings.landed if not one.is_met]
    if missed or not findings.landed:
        return Judgment(Verdict.INCONCLUSIVE, tuple(missed) or (findings.problem or "no fault was proven to land",))
    broken = _broken(thresholds, findings.measured)
    if broken:
        return Judgment(Verdict.FAIL, tuple(broken))
    if findings.problem is not None:
        return Judgment(Verdict.INCONCLUSIVE, (findings.problem,))
    unknown = [f"not measured: {one.what}" for one in thresholds if one.name not in findings.measured]
    if unknown:
        return Judgment(Verdict.INCONCLUSIVE, tuple(unknown))
    left = [f"{one.what}: found {one.found}" for one in (*findings.rollbacks, *findings.after) if not one.is_met]
    if left:
        return Judgment(Verdict.DEVIATED, tuple(left))
    return Judgment(Verdict.PASS, ())


def _broken(thresholds: Sequence[Threshold], measured: Mapping[str, float | None]) -> list[str]:
    found = []
    for one in thresholds:
        if one.name in measured and not one.is_met(measured[one.name]):
            value = measured[one.name]
            said = "it never happened" if value is None else f"{value:g} {one.unit}"
            found.append(f"{one.what}: {said}, expected {one.bound()}")
    return found
