"""The families of one run's page, `/metrics/run/<run_id>`; the run is the target's label, never a metric's."""

from __future__ import annotations

from tc.model.histogram import LONG_BOUNDS
from tc.observe.family import Family, Label, counter, gauge, histogram, info, moment
from tc.observe.vocabulary import (
    AGENT_PARTS,
    ALERT_KIND,
    ARTIFACT,
    CURRENCY,
    DENIAL_REASON,
    DRILL_VERDICT,
    HEARTBEAT_PARTS,
    INSTRUMENT,
    KILL_STAGES,
    LATCH,
    LIMIT,
    MODE,
    PHASES,
    PROBE_FINDINGS,
    READINESS_STATES,
    RECONCILIATION_STATUS,
    REJECT_REASON,
    REQUEST_LIMITS,
    SEVERITY,
    SINK,
    STATUS,
    STRATEGY,
    STRATEGY_STATE,
)

RUN_INFO = info(
    "tc_run_info", "Always 1; says which run this is, and how it stands.",
    Label("run_id", bound="running runs and the last 100 that ended"), Label("name", bound="the spec's name"),
    MODE, STATUS,
)  # fmt: skip

LIFECYCLE: tuple[Family, ...] = (
    RUN_INFO,
    gauge("tc_run_status", "1 for the status that the run has now, 0 for all others.", STATUS),
    gauge("tc_run_sealed", "1 where the run is sealed: its evidence is complete and does not change any more."),
    gauge("tc_run_exit_code", "What the command that ran it ended with; see docs/exit-codes.md.",
          appears="once the run is sealed"),
    moment("tc_run_created_timestamp_seconds", "When the run was made, UNIX time."),
    moment("tc_run_started_timestamp_seconds", "When the run began, UNIX time."),
    moment("tc_run_ended_timestamp_seconds", "When the run was sealed, UNIX time."),
    gauge("tc_run_broken_artifacts", "1 where an artifact of the run cannot be read; the log names it.", ARTIFACT),
    counter("tc_bars_delivered_total", "Bars that were delivered to the strategies."),
    gauge("tc_bars_planned", "Bars that the run will have when it ends.", appears="where that is known"),
)  # fmt: skip

NODE: tuple[Family, ...] = (
    gauge("tc_node_up", "1 while the run's process lives and is not stopped; a sealed run has none."),
    gauge("tc_node_stopped", "1 where the run's process is stopped by a signal: it lives and does nothing."),
    gauge("tc_node_phase", "1 for what the node of a paper run is doing, 0 for the rest.", Label("phase", PHASES)),
    counter("tc_node_starts_total", "Starts of the run's node."),
    counter("tc_node_restarts_total", "Starts of the run's node after the first: by its watchdog or by recovery."),
    moment("tc_node_status_timestamp_seconds", "When the node last said how it stands, UNIX time; once a second.",
           appears="while a paper run's node runs"),
    gauge("tc_node_watched", "1 while the watchdog expects heartbeats of the node; not while it starts or ends."),
    moment("tc_heartbeat_timestamp_seconds", "When a part of the node last did a unit of its work, UNIX time.",
           Label("part", HEARTBEAT_PARTS), appears="while the node is watched"),
    gauge("tc_supervisor_up", "1 while the supervisor of a paper run lives and is not stopped."),
    gauge("tc_agent_armed", "1 while the kill agent of a paper run lives, is not stopped, and is armed."),
    moment("tc_agent_armed_timestamp_seconds", "When the kill agent was armed, UNIX time."),
    moment("tc_agent_heartbeat_timestamp_seconds",
           "When the kill agent's loop last turned, and the venue last answered it on its own keys, UNIX time.",
           Label("part", AGENT_PARTS), appears="while a kill agent is armed"),
    moment("tc_dead_man_deadline_timestamp_seconds",
           "When the venue cancels what rests there unless the kill agent renews its countdown, UNIX time.",
           appears="while a paper run with safety.dead_man_s runs"),
    counter("tc_stream_reconnects_total", "How often the user stream was lost and came back."),
    gauge("tc_request_limit_use_ratio", "How much of a limit of the venue is used in its window now, by whoever asks "
          "with these keys; from 0.7 new orders wait, the node uses 0.8 at most.", Label("window", REQUEST_LIMITS),
          unit="ratio", appears="while a paper run's node runs"),
    counter("tc_requests_held_back_total", "How often a request of the node had to wait for the venue's limits.",
            appears="while a paper run's node runs"),
)  # fmt: skip

ORDERS: tuple[Family, ...] = (
    counter("tc_orders_initialized_total", "Orders that strategies made, those that never left included."),
    counter("tc_orders_submitted_total", "Orders that were sent to the venue."),
    counter("tc_orders_accepted_total", "Orders that the venue took."),
    counter("tc_orders_denied_total", "Orders that were denied before they left; see tc_intents_denied_total."),
    counter("tc_orders_rejected_total", "Orders that the venue refused, by what its reason amounts to.",
            REJECT_REASON),
    counter("tc_orders_canceled_total", "Orders that were canceled."),
    counter("tc_orders_expired_total", "Orders that expired."),
    counter("tc_orders_updated_total", "Changes of orders that the venue confirmed."),
    counter("tc_orders_modify_rejected_total", "Changes of orders that were refused."),
    counter("tc_orders_cancel_rejected_total", "Cancels that were refused."),
    gauge("tc_orders_working", "Orders that may still fill; `instrument_id` is one of the run's.", INSTRUMENT),
    counter("tc_intents_denied_total", "Intents of strategies that the gate denied, by docs/reason-codes.md.",
            DENIAL_REASON),
    counter("tc_fills_total", "Fills."),
    gauge("tc_fees", "Fees paid so far, in the currency; a rebate counts negative.", CURRENCY,
          appears="with the first fee"),
)  # fmt: skip

ACCOUNT: tuple[Family, ...] = (
    gauge("tc_positions_open", "Positions that are not flat."),
    gauge("tc_position_quantity", "Signed quantity that a strategy holds, as the run's fills say.", INSTRUMENT,
          STRATEGY, appears="while the run runs and the strategy holds it"),
    gauge("tc_position_venue_quantity", "Signed net quantity that the venue says is held.", INSTRUMENT,
          appears="while a paper run runs"),
    gauge("tc_mark_price", "The price that positions are valued at.", INSTRUMENT, appears="while a position is held"),
    gauge("tc_equity", "Equity, marked, in the currency.", CURRENCY, appears="once it is known"),
    gauge("tc_equity_peak", "The highest equity so far, in the currency.", CURRENCY,
          appears="while a paper run runs"),
    gauge("tc_capital", "What was paid in less what was paid out, in the currency.", CURRENCY,
          appears="once it is known"),
    gauge("tc_profit_realized", "Profit of what is closed, after fees, in the currency.", CURRENCY,
          appears="once it is known"),
    gauge("tc_drawdown_ratio", "How far equity is below its peak: 0.1 is a tenth.", CURRENCY, unit="ratio",
          appears="while a paper run runs"),
    gauge("tc_drawdown_max_ratio", "The deepest drawdown of the run: 0.1 is a tenth.", CURRENCY, unit="ratio",
          appears="once the run is sealed and has an equity curve"),
    gauge("tc_return_ratio", "What the run earned of what it began with: 0.1 is a tenth.", CURRENCY, unit="ratio",
          appears="once it is known"),
    gauge("tc_positions_closed", "Positions that were closed.", appears="once the run is sealed"),
    gauge("tc_positions_won", "Positions that were closed with a profit after fees.",
          appears="once the run is sealed"),
)  # fmt: skip

SAFETY: tuple[Family, ...] = (
    gauge("tc_strategy_state", "1 for the state that a strategy is in, 0 for all others.", STRATEGY, STRATEGY_STATE,
          appears="while a paper run runs"),
    gauge("tc_account_stood_down", "1 while the account takes no new risk."),
    gauge("tc_instrument_stood_down", "1 while no new risk is taken in an instrument.", INSTRUMENT,
          appears="while a paper run runs"),
    gauge("tc_limit_use_ratio", "How much of a limit is in use: warnings come at 0.5 and 0.8.", LIMIT,
          INSTRUMENT, CURRENCY, unit="ratio", appears="while a paper run runs"),
    counter("tc_limit_warnings_total", "How often a limit was seen used to a half, to four fifths, or to a mark.",
            LIMIT, Label("level", ("0.5", "0.8", "1")), appears="with the first warning of a limit"),
    gauge("tc_risk_latches_closed", "Latches of the gate that are closed: no new risk until they are released.",
          LATCH, CURRENCY, appears="while a paper run runs"),
    gauge("tc_kill_latched", "1 where a kill latch is closed that holds for the run; unreadable counts as closed.",
          Label("scope", ("run", "account", "all"))),
    counter("tc_kills_total", "Kills of the run that were begun."),
    counter("tc_kills_confirmed_total", "Kills of the run that ended confirmed flat."),
    counter("tc_kills_incomplete_total", "How often a kill said that it is not confirmed yet."),
    histogram("tc_kill_stage_seconds", "From the kill command to the end of a stage.", Label("stage", KILL_STAGES),
              buckets=LONG_BOUNDS),
    counter("tc_alerts_raised_total", "Alerts that were raised.", ALERT_KIND, SEVERITY),
    gauge("tc_alerts_open", "Alerts whose condition is not over.", SEVERITY),
    gauge("tc_alerts_unacknowledged", "Open alerts that nobody acknowledged.", SEVERITY),
    histogram("tc_alert_latency_seconds", "From the condition to when a sink took the alert; 5 s are promised.",
              SINK, buckets=LONG_BOUNDS, appears="with the first alert that a sink took"),
    counter("tc_alert_failures_total", "Alerts that a sink did not take.", SINK,
            appears="with the first alert that a sink took or did not take"),
)  # fmt: skip

EVIDENCE: tuple[Family, ...] = (
    gauge("tc_reconciliation_status", "1 for what the last reconciliation found, 0 for the rest.",
          RECONCILIATION_STATUS),
    gauge("tc_reconciliation_breaks", "Differences between the books at the last look; some are a moment's."),
    counter("tc_reconciliation_breaks_recorded_total", "Differences that lasted so long that they were called breaks."),
    moment("tc_reconciliation_timestamp_seconds", "When the books were last compared, UNIX time."),
    counter("tc_journal_entries_total", "Entries of the run's journal.",
            appears="once the run is sealed, and while a paper run runs"),
    gauge("tc_journal_size_bytes", "Size of a journal of the run.", Label("journal", ("journal", "inputs")),
          unit="bytes"),
    counter("tc_ledger_commits_total", "Entries that the run wrote into its position ledger."),
    counter("tc_ledger_busy_total", "Commands that the ledger refused, since another process held its lock too long."),
    gauge("tc_drills", "Drills that were run on this run, by verdict.", DRILL_VERDICT),
)  # fmt: skip

LATENCY: tuple[Family, ...] = tuple(
    histogram(name, help)
    for name, help in (
        ("tc_intent_to_journal_seconds", "From an order's intent to its being on disk; no order leaves before."),
        ("tc_journal_sync_seconds", "How long a sync of the journal took."),
        ("tc_submit_to_ack_seconds", "From sending an order to the venue's taking or refusing it."),
        ("tc_ack_to_fill_seconds", "From the venue's taking an order to its first fill."),
        ("tc_ledger_lock_wait_seconds", "How long a command waited for the ledger's lock."),
    )
)
"""Of paper runs only: in a backtest time is simulated, and these stay empty."""

CONNECTIVITY: tuple[Family, ...] = (
    gauge("tc_connectivity_readiness", "1 for whether the spec could connect, 0 for the rest.",
          Label("state", READINESS_STATES), appears="where it was evaluated"),
    moment("tc_connectivity_readiness_timestamp_seconds", "When that was evaluated, UNIX time.",
           appears="where it was evaluated"),
    gauge("tc_connectivity_probe", "1 for what the probe of the venue found at the start, 0 for the rest.",
          Label("found", PROBE_FINDINGS), appears="where the venue was probed"),
    gauge("tc_connectivity_probe_seconds", "How long the probe's answer took.", unit="seconds",
          appears="where the venue answered"),
    moment("tc_connectivity_probe_timestamp_seconds", "When the venue was probed, UNIX time.",
           appears="where the venue was probed"),
    moment("tc_feed_event_timestamp_seconds", "The time that the newest market data has in it, UNIX time.",
           INSTRUMENT, appears="while a paper run runs, with the first data"),
    moment("tc_feed_received_timestamp_seconds", "When the newest market data was received, UNIX time.",
           INSTRUMENT, appears="while a paper run runs, with the first data"),
    gauge("tc_feed_stale_after_seconds", "After how long without market data the run stands down.", unit="seconds",
          appears="while a paper run runs"),
)  # fmt: skip

RUN_FAMILIES = (
    *LIFECYCLE, *NODE, *ORDERS, *ACCOUNT, *SAFETY, *EVIDENCE, *LATENCY, *CONNECTIVITY,
)  # fmt: skip
