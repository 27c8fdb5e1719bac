"""What a drill is: a declaration, fixed and hashed before anything is broken, and the steps that carry it out."""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tc.drills.verdict import Threshold

if TYPE_CHECKING:
    from tc.drills.experiment import Experiment

PLAN_SCHEMA = "tc.drill_plan/v1"


@dataclass(frozen=True)
class Stage:
    """The paper run that a drill wants: who trades how, and what the spec's sections say besides the demo's."""

    strategy: str = "tc.engine.strategies.ping_pong:PingPong"
    config: Mapping[str, Any] = field(default_factory=dict)
    others: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    risk: Mapping[str, Any] = field(default_factory=dict)
    safety: Mapping[str, Any] = field(default_factory=dict)
    speed: int = 300
    coins: tuple[str, ...] = ("BTC",)
    """One instrument each; a strategy whose config says no `coin` trades the first."""
    entries: int = 60
    hand: str = ""
    """What its processes carry inside (`tc.drills.inside`), so that they can be broken."""


@dataclass(frozen=True)
class Drill:
    """One drill.

    `case` are the numbers that tell its variants apart. `negative` names the cut (`tc.drills.cut`) under which the same
    steps must end in fail. `hurts` says what a running run may lose by it; empty where it wants a run of its own.
    `needs` names what the machine must have. `steps` injects, observes and measures.
    """

    name: str
    control: str
    hypothesis: str
    steady_state: str
    fault: str
    thresholds: tuple[Threshold, ...]
    rollback: str
    runbook: str
    negative: str
    steps: Callable[[Experiment], None]
    window_s: float = 20.0
    hurts: str = ""
    needs: tuple[str, ...] = ()
    anchors: tuple[str, ...] = ()
    case: Mapping[str, Any] = field(default_factory=dict)
    stage: Stage = field(default_factory=Stage)

    def plan(self) -> dict[str, Any]:
        """Return everything that is fixed beforehand, the source of the steps by its digest."""
        source = inspect.getsource(inspect.getmodule(self.steps) or self.steps)
        return {
            "schema": PLAN_SCHEMA,
            "drill": self.name,
            "case": dict(self.case),
            "control": self.control,
            "anchors": list(self.anchors),
            "hypothesis": self.hypothesis,
            "steady_state": self.steady_state,
            "fault": self.fault,
            "thresholds": [one.as_json() for one in self.thresholds],
            "window_s": self.window_s,
            "rollback": self.rollback,
            "runbook": self.runbook,
            "negative_control": self.negative,
            "stage": {**vars(self.stage), "config": dict(self.stage.config), "risk": dict(self.stage.risk),
                      "safety": dict(self.stage.safety),
                      "others": {name: dict(one) for name, one in self.stage.others.items()}},
            "steps_sha256": hashlib.sha256(source.encode()).hexdigest(),
        }  # fmt: skip


def plan_digest(plan: Mapping[str, Any]) -> str:
    """Return the digest of a plan: the same declaration and steps give the same, in any process."""
    text = json.dumps(plan, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
