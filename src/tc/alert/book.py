"""What a journal of alerts says: every alert with who acknowledged it, whom it reached, and who looks after it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from tc.alert.alert import Alert
from tc.durable import Entry, boot_id, host, is_process_alive, process_start_time
from tc.errors import Corrupt

RAISED = "AlertRaised"
SENT = "AlertSent"
FAILED = "AlertFailed"
ACKNOWLEDGED = "AlertAcknowledged"
CLEARED = "AlertCleared"
ESCALATED = "AlertEscalated"
ADOPTED = "AlertAdopted"
CLOSED = "AlertDeskClosed"


@dataclass(frozen=True)
class Owner:
    """The desk that sends and escalates an alert: one of the desks of one very process."""

    host: str
    boot_id: str
    pid: int
    start_time: int
    desk: int

    @classmethod
    def of_desk(cls, desk: int) -> Owner:
        """Return the owner that a desk of this process is."""
        pid = os.getpid()
        return cls(host(), boot_id(), pid, process_start_time(pid) or 0, desk)

    def as_json(self) -> dict[str, Any]:
        """Return it as it is journalled."""
        return asdict(self)

    @property
    def is_gone(self) -> bool:
        """Whether its process runs no more; of another machine nothing can be said, so it counts as running."""
        if self.host != host():
            return False
        return self.boot_id != boot_id() or not is_process_alive(self.pid, self.start_time)


@dataclass
class Kept:
    """One alert and what became of it; times in UNIX nanoseconds."""

    alert: Alert
    owner: Owner
    sent: dict[str, int] = field(default_factory=dict)  # sink: latency from raising to taken, ns
    failed: dict[str, str] = field(default_factory=dict)  # sink: why it has not taken it yet
    missed: set[str] = field(default_factory=set)  # sinks that at some time did not
    acknowledged_by: str | None = None
    acknowledged_reason: str | None = None
    acknowledged_ns: int | None = None
    cleared_ns: int | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it for machines."""
        return {
            **self.alert.as_json(),
            "sent": self.sent,
            "failed": self.failed,
            "acknowledged_by": self.acknowledged_by,
            "acknowledged_reason": self.acknowledged_reason,
            "acknowledged_ns": self.acknowledged_ns,
            "cleared_ns": self.cleared_ns,
        }


class Book:
    """The fold of a journal of alerts; it takes entries as they come, and a repeated one changes nothing."""

    def __init__(self) -> None:
        self.alerts: dict[str, Kept] = {}
        self._closed: set[Owner] = set()

    def fold(self, entries: Iterable[Entry]) -> None:
        """Take further entries; a type that this version does not know is left alone.

        Raises:
            Corrupt: one that it does know lacks something.
        """
        for entry in entries:
            try:
                self.apply(entry.type, entry.ts, entry.payload())
            except (KeyError, TypeError, ValueError) as error:
                what = f"entry {entry.seq} of an alert journal, {entry.type}, does not say what it must ({error!r})"
                raise Corrupt(f"{what}; was it written by a newer version?") from None

    def apply(self, type: str, ts: int, data: dict[str, Any]) -> None:
        """Take one entry."""
        if type == CLOSED:
            self._closed.add(Owner(**data["owner"]))
        elif type == RAISED:
            alert = Alert.of_json(data)
            self.alerts.setdefault(alert.alert_id, Kept(alert, Owner(**data["owner"])))
        else:
            kept = self.alerts.get(data.get("alert_id", ""))
            if kept is not None:
                self._change(kept, type, ts, data)

    def is_orphan(self, kept: Kept) -> bool:
        """Tell whether nobody looks after an alert any more."""
        return kept.owner in self._closed or kept.owner.is_gone

    def orphans(self, asking: Owner) -> list[Kept]:
        """Return the alerts that nobody looks after any more."""
        owners = {each.owner for each in self.alerts.values()} - {asking}
        gone = {owner for owner in owners if owner in self._closed or owner.is_gone}
        return [each for each in self.alerts.values() if each.owner in gone]

    def is_open(self, kept: Kept) -> bool:
        """Tell whether somebody still has to do something about an alert.

        It is open until its condition is cleared. Where nobody is there any more who could clear it, until it is
        acknowledged.
        """
        if kept.cleared_ns is not None:
            return False
        return kept.acknowledged_ns is None or not self.is_orphan(kept)

    @staticmethod
    def _change(kept: Kept, type: str, ts: int, data: dict[str, Any]) -> None:
        if type == SENT:
            kept.sent.setdefault(data["sink"], data["latency_ns"])
            kept.failed.pop(data["sink"], None)
        elif type == FAILED:
            kept.missed.add(data["sink"])
            if data["sink"] not in kept.sent:
                kept.failed[data["sink"]] = data["problem"]
        elif type == ACKNOWLEDGED and kept.acknowledged_ns is None:
            kept.acknowledged_by, kept.acknowledged_reason = data["by"], data["reason"]
            kept.acknowledged_ns = ts
        elif type == CLEARED:
            kept.cleared_ns = ts
        elif type == ESCALATED:
            kept.alert = replace(kept.alert, escalation=data["escalation"], repeats=data["repeats"])
        elif type == ADOPTED:
            kept.owner = Owner(**data["owner"])
