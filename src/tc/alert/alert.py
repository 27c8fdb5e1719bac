"""What an alert is: kinds with their severity and runbook, and the facts that whoever is woken needs."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any

from tc.clock import iso_utc

TEXT_LENGTH_MAX = 2_000
RUNBOOKS = "docs/runbooks"
_ID_LENGTH = 12


class Severity(StrEnum):
    """How soon somebody has to look; a page is sent again until somebody says that he has."""

    PAGE = "page"
    WARNING = "warning"
    INFO = "info"

    @property
    def rank(self) -> int:
        """Its place in a queue; the lowest leaves first."""
        return list(Severity).index(self)


class AlertKind(StrEnum):
    """What can happen."""

    kill_activated = "kill_activated"
    kill_stage = "kill_stage"
    kill_incomplete = "kill_incomplete"
    not_latched = "not_latched"
    kill_confirmed = "kill_confirmed"
    node_dead = "node_dead"
    node_stalled = "node_stalled"
    cpu_bound = "cpu_bound"
    health_check = "health_check"
    agent_dead = "agent_dead"
    agent_stalled = "agent_stalled"
    supervisor_dead = "supervisor_dead"
    stale_data = "stale_data"
    stand_down = "stand_down"
    drawdown = "drawdown"
    limit_warning = "limit_warning"
    limit_breach = "limit_breach"
    reconciliation_break = "reconciliation_break"
    corruption_guard = "corruption_guard"
    journal_poisoned = "journal_poisoned"
    give_up = "give_up"
    position_left = "position_left"
    test = "test"

    @property
    def severity(self) -> Severity:
        """How soon somebody has to look."""
        return _FACTS[self][0]

    @property
    def runbook(self) -> str:
        """The page that says what to do."""
        return f"{RUNBOOKS}/{_FACTS[self][1]}"


_FACTS: dict[AlertKind, tuple[Severity, str]] = {
    AlertKind.kill_activated: (Severity.PAGE, "kill.md"),
    AlertKind.kill_stage: (Severity.INFO, "kill.md"),
    AlertKind.kill_incomplete: (Severity.PAGE, "kill.md"),
    AlertKind.not_latched: (Severity.PAGE, "clear-latch.md"),
    AlertKind.kill_confirmed: (Severity.INFO, "clear-latch.md"),
    AlertKind.node_dead: (Severity.PAGE, "node-dead.md"),
    AlertKind.node_stalled: (Severity.PAGE, "node-dead.md"),
    AlertKind.cpu_bound: (Severity.WARNING, "node-dead.md"),
    AlertKind.health_check: (Severity.PAGE, "node-dead.md"),
    AlertKind.agent_dead: (Severity.PAGE, "kill.md"),
    AlertKind.agent_stalled: (Severity.PAGE, "kill.md"),
    AlertKind.supervisor_dead: (Severity.PAGE, "node-dead.md"),
    AlertKind.stale_data: (Severity.PAGE, "stale-data.md"),
    AlertKind.stand_down: (Severity.PAGE, "stand-down.md"),
    AlertKind.drawdown: (Severity.PAGE, "stand-down.md"),
    AlertKind.limit_warning: (Severity.WARNING, "alerts.md"),
    AlertKind.limit_breach: (Severity.PAGE, "alerts.md"),
    AlertKind.reconciliation_break: (Severity.PAGE, "venue-down.md"),
    AlertKind.corruption_guard: (Severity.PAGE, "storage.md"),
    AlertKind.journal_poisoned: (Severity.PAGE, "storage.md"),
    AlertKind.give_up: (Severity.PAGE, "give-up.md"),
    AlertKind.position_left: (Severity.PAGE, "give-up.md"),
    AlertKind.test: (Severity.INFO, "alerts.md"),
}


@dataclass(frozen=True)
class Alert:
    """One alert; `since_ns` is when the condition began, `raised_ns` when it was noticed, both UNIX nanoseconds.

    `key` tells alerts of one kind apart; `escalation` counts how often nobody acknowledged it in time, `repeats` how
    often the same was raised again while it was open.
    """

    alert_id: str
    kind: AlertKind
    severity: Severity
    run_id: str
    what: str
    where: str
    since_ns: int
    raised_ns: int
    key: str
    runbook: str
    escalation: int = 0
    repeats: int = 0

    def as_json(self) -> dict[str, Any]:
        """Return it as it is journalled and sent; times also in words."""
        return {**asdict(self), "since": iso_utc(self.since_ns), "raised": iso_utc(self.raised_ns)}

    @classmethod
    def of_json(cls, document: dict[str, Any]) -> Alert:
        """Return the alert of a journalled document; KeyError, ValueError or TypeError where it is none."""
        known = {field.name: document[field.name] for field in fields(cls)}
        return cls(**{**known, "kind": AlertKind(known["kind"]), "severity": Severity(known["severity"])})


def plain_text(text: str) -> str:
    """Return text that every sink and the journal can hold: no lone surrogates, and not without end."""
    return text[:TEXT_LENGTH_MAX].encode("utf-8", "replace").decode()


def make_alert_id(*facts: object) -> str:
    """Return a short name of an alert, for a person to type; `facts` are what no other alert shares."""
    return hashlib.sha256("\0".join(map(str, facts)).encode("utf-8", "replace")).hexdigest()[:_ID_LENGTH]
