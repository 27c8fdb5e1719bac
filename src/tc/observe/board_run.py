"""The board of one run: how it stands, what it earned, what it did, and what proves it."""

from __future__ import annotations

from tc.observe.board import BLUE, GRAY, GREEN, ORANGE, RED, YELLOW, Board, Panel, Query, Row
from tc.observe.board_query import INSTANCE, JOB, ONE_RUN, RUN, Scope, or_zero

_run = Scope(ONE_RUN)
YES_NO = (("1", "yes", GREEN), ("0", "no", GRAY))
HALF_USED, NEARLY_USED = (0.5, YELLOW), (0.8, RED)


def _moment(title: str, name: str, description: str) -> Panel:
    query = Query(f"{_run(name)} * 1000", title)
    return Panel(title, description, (query,), "stat", "dateTimeAsIso", 4, 4, base=BLUE, nothing="not yet")


def _count(title: str, expr: str, description: str, *, steps: tuple[tuple[float, str], ...] = (), runbook: str = "",
           unit: str = "short", nothing: str = "0", width: int = 4) -> Panel:  # fmt: skip
    return Panel(
        title, description, (Query(expr, title),), "stat", unit, width, 4, steps, runbook=runbook, nothing=nothing,
        base=GREEN if steps else BLUE,
    )  # fmt: skip


_HEAD = Row("How it stands", (
    Panel("Status", "The status that the run has now.", (Query(f"{_run('tc_run_status')} == 1", "{{status}}"),),
          "stat", "none", 4, 4, base=BLUE, is_name=True, nothing="no such run", runbook="node-dead.md"),
    Panel("Sealed", "Whether the evidence is complete and does not change any more.",
          (Query(_run("tc_run_sealed"), "sealed"),), "stat", "bool_yes_no", 4, 4, words=YES_NO),
    _moment("Started", "tc_run_started_timestamp_seconds", "When the run began."),
    _moment("Ended", "tc_run_ended_timestamp_seconds", "When the run was sealed."),
    _count("Bars", or_zero(_run("tc_bars_delivered_total")), "Bars that were delivered to the strategies."),
    _count("Exit code", _run("tc_run_exit_code"), "What the command ended with; 0 is done, the others are in "
           "exit-codes.md.", steps=((1, ORANGE), (2, RED)), nothing="not sealed"),
    Panel("Evidence", "Where the run's report and proof are.", kind="text", width=24, height=3, text=(
        "[Report](${reports}/${run_id}/report.html) · [metrics.json](${reports}/${run_id}/metrics.json) · "
        "[manifest](${reports}/${run_id}/manifest.json) · `tc runs show ${run_id}` · `tc verify ${run_id}` · "
        "`tc runs report ${run_id}` · [what to do when it alerts](${docs}/runbooks/)")),
))  # fmt: skip

_MONEY = Row("Money", (
    Panel("Equity", "Equity, marked at the last price, its highest value so far, and what was paid in.", (
        Query(_run("tc_equity"), "equity {{currency}}"),
        Query(_run("tc_equity_peak"), "peak {{currency}}"), Query(_run("tc_capital"), "capital {{currency}}"),
    ), width=12, decimals=2),
    Panel("Drawdown", "How far equity is below its peak; of a sealed run, the deepest it was.", (
        Query(or_zero(_run("tc_drawdown_ratio"), "currency"), "now {{currency}}"),
        Query(_run("tc_drawdown_max_ratio"), "deepest {{currency}}"),
    ), unit="percentunit", width=12, runbook="limits.md"),
    _count("Return", _run("tc_return_ratio"), "What the run earned of what it began with.", unit="percentunit",
           nothing="not known"),
    _count("Realized", _run("tc_profit_realized"), "Profit of what is closed, after fees, in the account's currency.",
           nothing="not known"),
    _count("Fees", or_zero(_run("tc_fees"), "currency"), "Fees paid so far; a rebate counts negative."),
    _count("Capital", _run("tc_capital"), "What was paid in less what was paid out.", nothing="not known"),
    _count("Positions closed", _run("tc_positions_closed"), "Positions that were closed.", nothing="not sealed"),
    _count("Positions won", _run("tc_positions_won"), "Those that were closed with a profit after fees.",
           nothing="not sealed"),
))  # fmt: skip

_ORDERS = Row("Orders", (
    *(_count(title, _run.total(f"tc_{name}_total"), description, steps=steps, runbook=runbook)
      for title, name, description, steps, runbook in (
        ("Submitted", "orders_submitted", "Orders that were sent to the venue.", (), ""),
        ("Filled", "fills", "Fills.", (), ""),
        ("Canceled", "orders_canceled", "Orders that were canceled.", (), ""),
        ("Denied", "intents_denied", "Intents that the gate denied.", ((1, YELLOW),), "orders.md"),
        ("Rejected", "orders_rejected", "Orders that the venue refused.", ((1, ORANGE),), "orders.md"),
        ("Cancels refused", "orders_cancel_rejected", "Cancels that were refused.", ((1, ORANGE),), "orders.md"),
    )),
    Panel("Orders a second", "What the run did lately.", tuple(
        Query(_run.rate(f"tc_{name}_total"), legend) for name, legend in (
            ("orders_submitted", "submitted"), ("orders_accepted", "accepted"), ("fills", "fills"),
            ("orders_canceled", "canceled"), ("orders_expired", "expired"), ("orders_updated", "changed"))),
        unit="ops", width=12),
    Panel("Working orders", "Orders that may still fill.", (
        Query(or_zero(_run("tc_orders_working"), "instrument_id"), "{{instrument_id}}"),), width=12),
    Panel("Denied by reason", "Intents that the gate denied, by the codes of reason-codes.md.", (
        Query(or_zero(f"{_run.total('tc_intents_denied_total', by='reason')} > 0", "reason"), "{{reason}}"),),
        "bargauge", width=12, steps=((1, YELLOW),), runbook="orders.md"),
    Panel("Rejected by reason", "Orders that the venue refused, by what its reason amounts to.", (
        Query(or_zero(f"{_run.total('tc_orders_rejected_total', by='reason')} > 0", "reason"), "{{reason}}"),),
        "bargauge", width=12, steps=((1, ORANGE),), runbook="orders.md"),
))  # fmt: skip

_RISK = Row("Positions and limits", (
    Panel("Positions", "What the strategies hold by the run's fills, and what the venue says is held.", (
        Query(or_zero(_run("tc_position_quantity"), "instrument_id", "flat"), "{{strategy}} {{instrument_id}}"),
        Query(_run("tc_position_venue_quantity"), "venue {{instrument_id}}"),
    ), width=12, runbook="venue-down.md"),
    Panel("Limits in use", "How much of each limit is in use; warnings come at a half and at four fifths.", (
        Query(or_zero(f"max by (limit) ({_run('tc_limit_use_ratio')})", "limit"), "{{limit}}"),),
        "bargauge", "percentunit", 12, steps=(HALF_USED, NEARLY_USED), runbook="limits.md"),
    Panel("Limit warnings", "How often a limit was seen used to a half, to four fifths, to its mark.", (
        Query(or_zero(_run.total("tc_limit_warnings_total", by="limit, level"), "limit"), "{{limit}} {{level}}"),),
        "bargauge", width=12, steps=((1, YELLOW),), runbook="limits.md"),
    Panel("Latches closed", "Latches of the gate that are closed: no new risk until they are released.", (
        Query(or_zero(f"max by (latch) ({_run('tc_risk_latches_closed')})", "latch"), "{{latch}}"),),
        "bargauge", width=12, steps=((1, RED),), runbook="limits.md"),
))  # fmt: skip

_LATENCY = Row("Latency (paper; a backtest has none)", (
    _run.latency("Intent to journal", "tc_intent_to_journal_seconds",
                 "From an order's intent to its being on disk; no order leaves before."),
    _run.latency("Submit to ack", "tc_submit_to_ack_seconds", "From sending an order to the venue's answer."),
    _run.latency("Ack to fill", "tc_ack_to_fill_seconds", "From the venue's taking an order to its first fill."),
))  # fmt: skip

_EVIDENCE = Row("Safety and evidence", (
    Panel("Kill latch", "Whether a kill latch holds for the run.", (
        Query(f"max ({_run('tc_kill_latched')})", "latch"),),
          "stat", "none", 4, 4, words=(("0", "open", GREEN), ("1", "closed", RED)), runbook="clear-latch.md"),
    Panel("Strategies", "The state that each strategy is in.", (
        Query(f"{_run('tc_strategy_state')} == 1", "{{strategy}}: {{state}}"),),
        "stat", "none", 4, 4, is_name=True, nothing="not running", base=BLUE, runbook="stand-down.md"),
    Panel("Books", "What the last reconciliation of venue, engine and journal found.", (
        Query(f"{_run('tc_reconciliation_status')} == 1", "{{status}}"),),
        "stat", "none", 4, 4, is_name=True, base=BLUE, nothing="not known", runbook="venue-down.md"),
    _count("Breaks", _run.total("tc_reconciliation_breaks_recorded_total"), "Differences that lasted until they "
           "were called breaks.", steps=((1, RED),), runbook="venue-down.md"),
    _count("Alerts open", _run.total("tc_alerts_open"), "Alerts whose condition is not over.", steps=((1, ORANGE),),
           runbook="alerts.md"),
    _count("Drills passed", or_zero(_run("tc_drills", 'verdict="pass"')), "Drills that were run on this run and held.",
           runbook="drills.md"),
    Panel("Alerts raised", "Alerts of the run, by what they are about.", (
        Query(or_zero(f"{_run.total('tc_alerts_raised_total', by='kind')} > 0", "kind"), "{{kind}}"),),
        "bargauge", steps=((1, YELLOW),), runbook="alerts.md"),
    Panel("Journals", "The size of the run's journals.", (Query(_run("tc_journal_size_bytes"), "{{journal}}"),),
          unit="bytes", runbook="storage.md"),
    Panel("Connectivity", "Whether what the spec names was there, and whether the venue answered; of paper runs.", (
        Query(f"{_run('tc_connectivity_readiness')} == 1", "ready: {{state}}"),
        Query(f"{_run('tc_connectivity_probe')} == 1", "venue: {{found}}"),
    ), "stat", "none", is_name=True, nothing="not asked", base=BLUE, runbook="venue-down.md"),
))  # fmt: skip

RUN_BOARD = Board(
    "tradingchassis-ops-lab-run-observability", "tc-run", "TradingChassis / One run",
    "One run by its target label run_id: status, money, orders, limits, latency, safety and evidence.",
    (JOB, INSTANCE, RUN),
    (_HEAD, _MONEY, _ORDERS, _RISK, _LATENCY, _EVIDENCE),
)  # fmt: skip
