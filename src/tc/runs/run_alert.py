"""What of a paper run wakes somebody: its journal and what its processes say, as alerts.

Its kill agent reads the journal, so that alerts leave when the node hangs; the supervisor adds what only it can see.
"""

from __future__ import annotations

from typing import Any

from tc.alert.alert import AlertKind
from tc.alert.desk import AlertDesk
from tc.durable import Entry
from tc.risk.request_budget import VENUE_RATE
from tc.supervise.watch_policy import Part

STALE = "STALE_DATA"
_ENDING = "run"  # stands down by itself when it ends
_FALLS = frozenset({"total_drawdown", "daily_loss", "weekly_loss", "drawdown_warning"})
_LEDGER = "LEDGER_FAULT"


class RunAlerts:
    """Raises alerts at a desk; what it does not know it leaves alone."""

    def __init__(self, desk: AlertDesk, where: str) -> None:
        self._desk = desk
        self._where = where
        self._incomplete = 0

    def close(self) -> None:
        """Let what is queued leave."""
        self._desk.close()

    def raise_alert(self, kind: AlertKind, what: str, *, key: str = "", since_ns: int | None = None) -> None:
        """Raise one."""
        self._desk.raise_alert(kind, what, where=self._where, key=key, since_ns=since_ns)

    def clear(self, kind: AlertKind, key: str = "") -> None:
        """Say that one is over."""
        self._desk.clear(kind, key)

    def take_entry(self, entry: Entry) -> None:
        """Take one entry of the node's journal."""
        data, ts = entry.payload(), entry.ts
        subject = str(data.get("strategy_id") or data.get("instrument_id") or "")
        if entry.type == "StoodDown":
            self._stood_down(data, subject, ts)
        elif entry.type == "StandDownEnded":
            self._desk.clear(AlertKind.stand_down, subject)
            self._desk.clear(AlertKind.stale_data, subject)
        elif entry.type == "LimitWarned":
            kind = AlertKind.drawdown if data["limit"] in _FALLS else AlertKind.limit_warning
            what = f"{data['limit']}: {data['used']} of {data['bound']} in use"
            self.raise_alert(kind, what, key=f"{data['limit']} {subject}".strip(), since_ns=ts)
        elif entry.type == "LatchClosed":
            kind = AlertKind.drawdown if data["latch"] in _FALLS else AlertKind.limit_breach
            self.raise_alert(kind, f"latch {data['latch']} closed: {data['reason']}", key=data["latch"], since_ns=ts)
        elif entry.type == "LimitBreached":
            what = f"{data['code']}: {data['detail']}"
            self.raise_alert(AlertKind.limit_breach, what, key=str(data["code"]), since_ns=ts)
        elif entry.type == "ReconciliationBreak":
            what = f"{data['subject']}: venue {data['venue']}, engine {data['engine']}, journal {data['journal']}"
            self.raise_alert(AlertKind.reconciliation_break, what, key=_break_key(data), since_ns=ts)
        elif entry.type == "ReconciliationBreakEnded":
            self._desk.clear(AlertKind.reconciliation_break, _break_key(data))
        elif entry.type == "IntentDenied" and data["code"] == VENUE_RATE:
            self.raise_alert(AlertKind.limit_warning, f"{VENUE_RATE}: {data['detail']}", key=VENUE_RATE, since_ns=ts)
        elif entry.type == "LastStopCanceled":
            self.raise_alert(AlertKind.position_left, f"{subject} canceled its position's last stop", key=subject)

    def take_kill(self, stage: str, facts: dict[str, Any]) -> None:
        """Take a stage of a kill."""
        if stage == "taken":
            self.raise_alert(AlertKind.kill_activated, f"killed by {facts['by']}: {facts['reason']}")
        elif stage == "incomplete":
            self._incomplete += 1  # each is one more
            self.raise_alert(AlertKind.kill_incomplete, str(facts["reason"]), key=str(self._incomplete))
        elif stage == "confirmed":
            self.raise_alert(AlertKind.kill_confirmed, f"the venue says flat, after {facts['seconds']:.1f} s")
            self._desk.clear(AlertKind.kill_activated)
            for number in range(1, self._incomplete + 1):
                self._desk.clear(AlertKind.kill_incomplete, str(number))
        else:
            self.raise_alert(AlertKind.kill_stage, f"{stage} after {facts['seconds']:.2f} s", key=stage)

    def take_fact(self, fact: dict[str, Any]) -> None:
        """Take what the supervisor saw or heard."""
        event = fact.get("event")
        if event == "stall":
            self.raise_alert(AlertKind.node_stalled, f"the node's loop is blocked: {_words(fact)}")
        elif event == "healthy":
            self._desk.clear(AlertKind.node_stalled)
        elif event in ("node_ended", "quarantine"):
            self.raise_alert(AlertKind.node_dead, f"the node is gone: {_words(fact)}")
        elif event == "journal_fault":
            self.raise_alert(
                AlertKind.journal_poisoned, f"the journal takes no more, and the node ends: {fact['reason']}"
            )
        elif event == "restart":
            self._desk.clear(AlertKind.node_dead)
        elif event == "give_up":
            self.raise_alert(AlertKind.give_up, f"given up: {_words(fact)}")
        elif event == "agent_dead":
            self.raise_alert(
                AlertKind.agent_dead, f"the kill agent ended with {fact['exit_code']}, and is started again"
            )
        elif event == "agent_lost":
            what = f"the kill agent is lost, and the run ends as after a fault: {_words(fact)}"
            self.raise_alert(AlertKind.agent_dead, what, key="lost")
        elif event == "armed":
            self._desk.clear(AlertKind.agent_dead)
        elif event == "dead_man":
            self._dead_man(fact["problem"])
        elif event in ("cpu_bound", "cpu_eased", "health"):
            self._health(fact)
        elif event in ("agent_stall", "agent_healthy", "agent_ended"):
            self._agent_stalled(fact)
        elif event == "open":
            self.raise_alert(AlertKind.position_left, f"the run ended and is not confirmed: {fact['reason']}")
        elif event == "left":
            self.raise_alert(AlertKind.position_left, f"the run ended and left {fact['what']}")

    def _stood_down(self, data: dict[str, Any], subject: str, ts: int) -> None:
        if data["by"] == _ENDING:
            return
        reason = str(data["reason"])
        kind = AlertKind.stale_data if reason.startswith(STALE) else AlertKind.stand_down
        self.raise_alert(kind, f"stood down by {data['by']}: {reason}", key=subject, since_ns=ts)
        if reason.startswith(_LEDGER):
            self.raise_alert(AlertKind.corruption_guard, reason, since_ns=ts)

    def _dead_man(self, problem: str | None) -> None:
        if problem is None:
            self._desk.clear(AlertKind.health_check, "dead man")
            return
        what = f"the venue's dead-man countdown cannot be renewed, and will cancel what rests: {problem}"
        self.raise_alert(AlertKind.health_check, what, key="dead man")

    def _health(self, fact: dict[str, Any]) -> None:
        if fact["event"] == "cpu_bound":
            what = f"the node uses {fact['percent']} % of a core, above its bound of {fact['bound']} %"
            self.raise_alert(AlertKind.cpu_bound, what)
        elif fact["event"] == "cpu_eased":
            self._desk.clear(AlertKind.cpu_bound)
        elif fact["problems"]:
            self.raise_alert(AlertKind.health_check, "; ".join(fact["problems"]))
        else:
            self._desk.clear(AlertKind.health_check)

    def _agent_stalled(self, fact: dict[str, Any]) -> None:
        if fact["event"] == "agent_stall":
            what = f"the kill agent does not work: {_words(fact)}; `tc kill activate` does the work itself"
            self.raise_alert(AlertKind.agent_stalled, what, key=str(fact["part"]))
        elif fact["event"] == "agent_healthy":
            self._desk.clear(AlertKind.agent_stalled, str(fact["part"]))
        else:
            for part in (Part.LOOP, Part.ORDER_PATH):
                self._desk.clear(AlertKind.agent_stalled, part.value)


def _break_key(data: dict[str, Any]) -> str:
    return f"{data.get('break_class', '')} {data.get('subject', '')}"


def _words(fact: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in fact.items() if name != "event")
