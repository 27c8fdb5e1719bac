"""The board of safety: latches, kills, limits, denials, alerts, and the drills that prove them."""

from __future__ import annotations

from tc.observe.board import BLUE, GRAY, GREEN, ORANGE, RED, YELLOW, Board, Panel, Query, Row
from tc.observe.board_query import ANY, INSTANCE, JOB, MANY_RUNS, RUNS, Scope, or_zero
from tc.observe.board_run import HALF_USED, NEARLY_USED

_run, _all = Scope(MANY_RUNS), Scope(ANY)
_LATCH = (("0", "open", GREEN), ("1", "closed", RED))


def _stat(title: str, expr: str, description: str, *, steps: tuple[tuple[float, str], ...] = (), runbook: str) -> Panel:
    return Panel(
        title, description, (Query(expr, title),), "stat", "short", 4, 4, steps, runbook=runbook,
        base=GREEN if steps else BLUE, nothing="0",
    )  # fmt: skip


_NOW = Row("Now", (
    Panel("Kill all", "Whether the latch is closed that holds for every run of this user.", (
        Query(_all("tc_fleet_kill_all_latched"), "all"),), "stat", "none", 4, 4, words=_LATCH,
        runbook="clear-latch.md"),
    _stat("Latched runs", _all.total("tc_fleet_runs_latched"), "Running runs that a kill latch holds for.",
          steps=((1, RED),), runbook="clear-latch.md"),
    _stat("Agents armed", _all.total("tc_fleet_agents_armed"), "Running paper runs whose kill agent is armed.",
          runbook="kill.md"),
    _stat("Stood down", _run.total("tc_account_stood_down"), "Accounts that take no new risk.", steps=((1, ORANGE),),
          runbook="stand-down.md"),
    _stat("Alerts unseen", _all.total("tc_fleet_alerts_unacknowledged"), "Open alerts of running runs that nobody "
          "acknowledged.", steps=((1, RED),), runbook="alerts.md"),
    _stat("Drills failed", or_zero(f'sum ({_all("tc_drill_verdict", 'verdict=~"fail|deviated"')})'), "Drills whose "
          "last run did not hold.", steps=((1, RED),), runbook="drills.md"),
))  # fmt: skip

_KILL = Row("Kill switch", (
    Panel("Latches", "Kill latches that hold, by run and scope.", (
        Query(or_zero(f"max by (run_id, scope) ({_run('tc_kill_latched')}) > 0", "scope"), "{{run_id}} {{scope}}"),),
        "bargauge", steps=((1, RED),), runbook="clear-latch.md"),
    Panel("Kills", "Kills that were begun, that ended confirmed flat, and how often one said: not yet.", (
        Query(_run.total("tc_kills_total"), "begun"), Query(_run.total("tc_kills_confirmed_total"), "confirmed flat"),
        Query(_run.total("tc_kills_incomplete_total"), "not confirmed yet")), "bargauge", base=BLUE, runbook="kill.md"),
    Panel("Kill stages", "From the command to the end of each stage: p99 of the kills of the runs shown.", (
        Query(or_zero(_run.whole("0.99", "tc_kill_stage_seconds", "stage"), "stage", "no kill"), "{{stage}}"),),
        "bargauge", "s", base=BLUE, runbook="kill.md"),
))  # fmt: skip

_LIMITS = Row("Limits and denials", (
    Panel("Limits in use", "The fullest use of each limit over the runs shown.", (
        Query(or_zero(f"max by (limit) ({_run('tc_limit_use_ratio')})", "limit"), "{{limit}}"),), "bargauge",
        "percentunit", steps=(HALF_USED, NEARLY_USED), runbook="limits.md"),
    Panel("Use over time", "The same, over time: warnings come at a half and at four fifths.", (
        Query(or_zero(f"max by (limit) ({_run('tc_limit_use_ratio')}) > 0", "limit"), "{{limit}}"),),
        unit="percentunit", steps=(HALF_USED, NEARLY_USED), runbook="limits.md"),
    Panel("Latches of the gate", "Latches that are closed: no new risk until they are released.", (
        Query(or_zero(f"max by (latch) ({_run('tc_risk_latches_closed')})", "latch"), "{{latch}}"),), "bargauge",
        steps=((1, RED),), runbook="limits.md"),
    Panel("Denied a second", "Intents that gates denied lately, by reason.", (
        Query(or_zero(f"{_run.rate('tc_intents_denied_total', by='reason')} > 0", "reason"), "{{reason}}"),),
        unit="ops", runbook="orders.md"),
    Panel("Strategy states", "Strategies of running runs, by the state that they are in.", (
        Query(or_zero(_run.total("tc_strategy_state", by="state"), "state"), "{{state}}"),), "bargauge", base=BLUE,
        runbook="stand-down.md"),
    Panel("Instruments stood down", "Instruments in which no new risk is taken.", (
        Query(or_zero(_run.total("tc_instrument_stood_down", by="run_id"), "run_id"), "{{run_id}}"),), "bargauge",
        steps=((1, ORANGE),), runbook="stand-down.md"),
))  # fmt: skip

_ALERTS = Row("Alerts", (
    Panel("Raised by kind", "Alerts that were raised, by what they are about.", (
        Query(or_zero(f"{_run.total('tc_alerts_raised_total', by='kind')} > 0", "kind"), "{{kind}}"),), "bargauge",
        steps=((1, YELLOW),), runbook="alerts.md"),
    Panel("Open by severity", "Alerts whose condition is not over.", (
        Query(_run.total("tc_alerts_open", by="severity"), "{{severity}}"),), runbook="alerts.md"),
    Panel("Alert latency", "From the condition to when a sink took the alert, p99 by sink; 5 seconds are promised.", (
        Query(or_zero(_run.whole("0.99", "tc_alert_latency_seconds", "sink"), "sink", "no alert"), "{{sink}}"),),
        "bargauge", "s", steps=((2, YELLOW), (5, RED)), runbook="alerts.md"),
    Panel("Not delivered", "Alerts that a sink did not take.", (
        Query(or_zero(_run.total("tc_alert_failures_total", by="sink"), "sink"), "{{sink}}"),), "bargauge",
        steps=((1, RED),), runbook="alerts.md"),
    Panel("Books", "Running and ended runs by what their last reconciliation found.", (
        Query(_run.total("tc_reconciliation_status", by="status"), "{{status}}"),), "bargauge", base=BLUE,
        runbook="venue-down.md"),
    Panel("Breaks", "Differences that lasted until they were called breaks.", (
        Query(_run.total("tc_reconciliation_breaks_recorded_total", by="run_id"), "{{run_id}}"),), "bargauge",
        steps=((1, RED),), runbook="venue-down.md"),
))  # fmt: skip

_DRILLS = Row("Drills", (
    Panel("Verdicts", "How the last drill of each name came out.", (
        Query(f"{_all('tc_drill_verdict')} == 1", ""),), "table", "none", 12, 8, columns=("drill", "verdict"),
        nothing="no drill was run", runbook="drills.md"),
    Panel("Last run", "How long ago each drill was run.", (
        Query(or_zero(_all.age("tc_drill_ended_timestamp_seconds"), "drill"), "{{drill}}"),), "bargauge", "s", 12, 8,
        steps=((7 * 86400, YELLOW), (30 * 86400, ORANGE)), base=GRAY, runbook="drills.md"),
))  # fmt: skip

SAFETY_BOARD = Board(
    "tradingchassis-safety-drills", "tc-safety", "TradingChassis / Safety and drills",
    "What keeps the runs safe: kill switch, limits, denials, alerts, reconciliation, and the drills that prove it.",
    (JOB, INSTANCE, RUNS), (_NOW, _KILL, _LIMITS, _ALERTS, _DRILLS), since="now-3h",
)  # fmt: skip
