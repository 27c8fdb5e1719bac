"""The board of all runs together: what goes on, what ended how, and which to look at."""

from __future__ import annotations

from tc.observe.board import BLUE, GREEN, ORANGE, RED, YELLOW, Board, Panel, Query, Row
from tc.observe.board_query import ANY, INSTANCE, JOB, Scope, or_zero

_all = Scope(ANY)
_BAD = 'status=~"failed|killed|safety_blocked|interrupted"'


def _stat(title: str, expr: str, description: str, *, steps: tuple[tuple[float, str], ...] = (), runbook: str = "",
          unit: str = "short") -> Panel:  # fmt: skip
    return Panel(
        title, description, (Query(expr, title),), "stat", unit, 4, 4, steps, runbook=runbook,
        base=GREEN if steps else BLUE, nothing="0",
    )  # fmt: skip


_NOW = Row("Now", (
    _stat("Running", _all.total("tc_fleet_runs", 'group="running"'), "Runs that go on."),
    _stat("Ended", _all.total("tc_fleet_runs", 'group!="running"'), "Runs that are over."),
    _stat("Ended badly", _all.total("tc_fleet_runs", f'group="recent", {_BAD}'), "Of the last hundred: failed, killed, "
          "interrupted or stopped by safety.", steps=((1, ORANGE),), runbook="give-up.md"),
    _stat("Books that differ", _all.total("tc_fleet_reconciliations", 'status="mismatched"'), "Runs whose books did "
          "not agree at their last reconciliation.", steps=((1, RED),), runbook="venue-down.md"),
    _stat("Alerts open", _all.total("tc_fleet_alerts_open"), "Open alerts of running runs.", steps=((1, ORANGE),),
          runbook="alerts.md"),
    _stat("Unreadable", _all.total("tc_fleet_broken_artifacts"), "Runs of which an artifact cannot be read; the "
          "exporter's log names them.", steps=((1, RED),), runbook="storage.md"),
))  # fmt: skip

_RUNS = Row("Runs", (
    Panel("Runs", "Every running run and the last hundred that ended; the board of one run shows the rest.", (
        Query(f"{_all('tc_run_info', 'job="tc"')}", ""),), "table", "none", 24, 9,
        columns=("run_id", "name", "mode", "status")),
    Panel("By status", "All runs there are, by the status that they have.", (
        Query(f"{_all.total('tc_fleet_runs', by='status')} > 0", "{{status}}"),), "bargauge", base=BLUE),
    Panel("Running over time", "Runs that go on, by mode.", (
        Query(_all.total("tc_fleet_runs", 'group="running"', by="mode"), "{{mode}}"),)),
    Panel("Last ended", "How long ago a run last ended with each status.", (
        Query(or_zero(f"time() - max by (status) ({_all('tc_fleet_last_ended_timestamp_seconds')})", "status"),
              "{{status}}"),), "bargauge", "s", base=BLUE),
))  # fmt: skip

_WORK = Row("What they did", (
    Panel("Orders and fills", "Amounts over all runs; they fall only when an operator removes a run.", (
        Query(_all.total("tc_fleet_orders"), "orders"), Query(_all.total("tc_fleet_fills"), "fills"),
        Query(_all.total("tc_fleet_orders_rejected"), "rejected"))),
    Panel("Fills a second", "Fills of each running run lately.", (
        Query(or_zero(_all.rate("tc_fills_total", by="run_id"), "run_id"), "{{run_id}}"),), unit="ops"),
    Panel("Equity by run", "Marked equity of every run that has a page.", (
        Query(_all("tc_equity"), "{{run_id}}"),), decimals=2),
    Panel("Denied by reason", "Intents that gates denied, by the codes of reason-codes.md.", (
        Query(or_zero(f"{_all.total('tc_fleet_intents_denied', by='reason')} > 0", "reason"), "{{reason}}"),),
        "bargauge", steps=((1, YELLOW),), runbook="orders.md"),
    Panel("Reconciliations", "All runs by what their last reconciliation found.", (
        Query(_all.total("tc_fleet_reconciliations", by="status"), "{{status}}"),), "bargauge", base=BLUE,
        runbook="venue-down.md"),
    Panel("Open positions", "Positions that are not flat; of ended runs, as they ended.", (
        Query(_all.total("tc_fleet_positions_open", by="group"), "{{group}}"),), "bargauge", base=BLUE),
    Panel("Bars", "Bars that were delivered to strategies, by mode.", (
        Query(_all.total("tc_fleet_bars", by="mode"), "{{mode}}"),)),
    Panel("Journal entries", "Entries of all journals, by mode.", (
        Query(_all.total("tc_fleet_journal_entries", by="mode"), "{{mode}}"),)),
    Panel("Journal bytes", "Size of all journals: what a retention decision is about.", (
        Query(_all.total("tc_fleet_journal_size_bytes", by="group"), "{{group}}"),), unit="bytes",
        runbook="storage.md"),
))  # fmt: skip

RUNS_BOARD = Board(
    "tradingchassis-runs-overview", "tc-runs", "TradingChassis / Runs",
    "All runs together: how many go on, how they ended, what they did, and which of them to look at.",
    (JOB, INSTANCE), (_NOW, _RUNS, _WORK), since="now-3h",
)  # fmt: skip
