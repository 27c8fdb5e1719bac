"""A known defect of the engine or its adapter: declared beforehand, shown on the unmodified engine, measured.

`tc drill defects` shows each on a node that has none of this product's corrections, and then, where a client of ours
corrects it, on one that has: there the same steps must not show it.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any

from tc.drills.defect_lab import Books, DefectLab
from tc.drills.verdict import Threshold

PLAN_SCHEMA = "tc.defect_plan/v1"
ENGINE = "NautilusTrader 1.231.0"


class Shown(StrEnum):
    """What an attempt to show a defect came to."""

    REPRODUCED = "reproduced"
    NOT_REPRODUCED = "not reproduced"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True)
class Defect:
    """One defect. `effects` are what it must at least cost to count as shown, in money, position or time.

    `setting` is what the node's configuration has besides the engine's defaults. `correction` says what this product
    does instead; `proof` names what shows that where it is not the client that does.
    """

    name: str
    what: str
    steps: Callable[[Showing], None]
    effects: tuple[Threshold, ...]
    correction: str
    setting: Mapping[str, Any] = field(default_factory=dict)
    proof: str = ""

    @property
    def is_in_client(self) -> bool:
        """Whether our client corrects it, so that the same steps with it must not show it."""
        return not self.proof

    def plan(self) -> dict[str, Any]:
        """Return everything that is fixed beforehand, the source of the steps by its digest."""
        return {
            "schema": PLAN_SCHEMA, "defect": self.name, "engine": ENGINE, "what": self.what,
            "effects": [one.as_json() for one in self.effects], "correction": self.correction, "proof": self.proof,
            "setting": dict(self.setting), "is_in_client": self.is_in_client,
            "steps_sha256": hashlib.sha256(inspect.getsource(self.steps).encode()).hexdigest(),
        }  # fmt: skip


class Showing:
    """One attempt: what the steps of a defect see, and what they measured."""

    def __init__(self, lab: DefectLab) -> None:
        self.lab = lab
        self.measured: dict[str, float] = {}
        self.timeline: list[dict[str, Any]] = []
        self.books: list[dict[str, Any]] = []

    def mark(self, what: str) -> float:
        """Put a moment on the timeline and return it."""
        now = self.lab.now
        self.timeline.append({"t_s": round(now, 3), "what": what})
        return now

    def fault(self, kind: str, **words: Any) -> None:
        """Arm a fault of the venue."""
        self.mark(f"venue: {kind} {' '.join(f'{name}={value}' for name, value in words.items())}".strip())
        self.lab.venue.fault(kind, **words)

    def look(self, what: str) -> Books:
        """Hold both books next to each other, and keep them."""
        books = self.lab.books()
        at = self.mark(f"{what}: venue holds {books.held}, engine {books.net}, its positions sum up to {books.gross}")
        self.books.append({"t_s": round(at, 3), "what": what, **books.as_json()})
        return books

    def measure(self, name: str, value: Decimal | float) -> None:
        """Keep an effect."""
        self.measured[name] = float(value)
        self.mark(f"{name} = {float(value):g}")


def wrong_by(showing: Showing, what: str, quantity: Decimal, price: Decimal) -> None:
    """Measure a quantity that should not be, or should, in units and in money."""
    showing.mark(what)
    showing.measure("position", quantity)
    showing.measure("value", quantity * price)


def shown(defect: Defect, showing: Showing, problem: str | None, *, is_corrected: bool = False) -> Shown:
    """Return what an attempt came to: an effect that was not measured leaves it open.

    On the plain engine every effect must be there; with our client one of them is one too many.
    """
    if problem is not None or any(one.name not in showing.measured for one in defect.effects):
        return Shown.INCONCLUSIVE
    met = [one.is_met(showing.measured[one.name]) for one in defect.effects if one.least or not is_corrected]
    return Shown.REPRODUCED if (any(met) if is_corrected else all(met)) else Shown.NOT_REPRODUCED


def attempt(defect: Defect, lab: DefectLab) -> tuple[Shown, Showing, str | None]:
    """Start the lab, carry the steps out and judge; the lab is gone afterwards, whatever happens."""
    from tc.errors import TcError

    showing, problem = Showing(lab), None
    try:
        lab.start()
        showing.mark("the node trades")
        defect.steps(showing)
    except TcError as fault:
        problem = str(fault)
        showing.mark(f"broken off: {problem}")
    finally:
        lab.destroy()
    return shown(defect, showing, problem, is_corrected=lab.is_corrected), showing, problem
