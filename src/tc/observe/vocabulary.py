"""The closed vocabularies that labels take their values from."""

from __future__ import annotations

from tc.alert.alert import AlertKind, Severity
from tc.observe.family import Label
from tc.risk.permission import State
from tc.risk.reason import Reason
from tc.store.ledger_rule import LEDGER_CODES
from tc.store.run_directory import METADATA, METRICS, NODE_STATUS, RECONCILIATION, STATUSES

OTHER = "other"
MODES = ("backtest", "paper")
GROUPS = ("running", "recent", "older")
"""Runs that go on, the last hundred that ended, and all that ended before those."""
REJECT_REASONS = (
    "margin", "post_only", "reduce_only", "would_trigger", "precision", "limits", "duplicate", "late", "rate_limit",
    "connection", OTHER,
)  # fmt: skip
RECONCILIATION_STATUSES = ("matched", "mismatched", "not_reconcilable", "not_evaluated")
READINESS_STATES = ("disabled", "missing_credentials", "configured", "invalid_config", "unknown")
PROBE_FINDINGS = ("reachable", "refused", "redirected", "failing", "unreachable")
DRILL_VERDICTS = ("pass", "fail", "deviated", "inconclusive", "invalid")
HEARTBEAT_PARTS = ("loop", "pipeline", "feed", "order_path")
AGENT_PARTS = ("loop", "order_path")
REQUEST_LIMITS = ("weight_1m", "orders_10s", "orders_1m")
KILL_STAGES = ("delivered", "fenced", "canceled", "flat", "confirmed")
PHASES = ("starting", "running", "ending")
ARTIFACTS = (
    METADATA, METRICS, RECONCILIATION, NODE_STATUS, "heartbeat", "agent.json", "agent.heartbeat",
    "supervisor.json", "alerts", "kill", "connectivity_readiness.json", "connectivity_probe.json", "drills",
)  # fmt: skip

MODE = Label("mode", (*MODES, "unknown"))
STATUS = Label("status", STATUSES)
GROUP = Label("group", GROUPS)
DENIAL_REASON = Label("reason", (*(reason.value for reason in Reason), *LEDGER_CODES, OTHER))
REJECT_REASON = Label("reason", REJECT_REASONS)
RECONCILIATION_STATUS = Label("status", RECONCILIATION_STATUSES)
ARTIFACT = Label("artifact", ARTIFACTS)
SEVERITY = Label("severity", tuple(severity.value for severity in Severity))
ALERT_KIND = Label("kind", tuple(kind.value for kind in AlertKind))
SINK = Label("sink", bound="the alert sinks that the spec names, and log")
INSTRUMENT = Label("instrument_id", bound="the instruments of the run's spec; empty where it is the account's")
STRATEGY = Label("strategy", bound="the ids of the strategies of the run's spec")
STRATEGY_STATE = Label("state", tuple(state.value for state in State))
CURRENCY = Label("currency", bound="the settlement currencies of the run's instruments")
LIMIT = Label("limit", bound="the names of the limits of a spec's section risk")
LATCH = Label("latch", bound="total_drawdown, daily_loss, repeated_execution and the other latches, without subject")
DRILL = Label("drill", bound="the drills there are; above 50 names the rest is `other`")
DRILL_VERDICT = Label("verdict", DRILL_VERDICTS)
