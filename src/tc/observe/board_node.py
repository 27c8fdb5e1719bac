"""The board of what runs: nodes, their heartbeats and feeds, the disks, and the exporter itself."""

from __future__ import annotations

from tc.observe.board import BLUE, GRAY, GREEN, ORANGE, RED, YELLOW, Board, Panel, Query, Row
from tc.observe.board_query import ANY, INSTANCE, JOB, MANY_RUNS, RUNS, Scope, or_zero

_run, _any = Scope(MANY_RUNS), Scope(ANY)
_LIVE = "and on (run_id) (" + _run("tc_run_sealed") + " == 0)"


def _alive(title: str, name: str, description: str, runbook: str) -> Panel:
    words = (("1", "up", GREEN), ("0", "down", RED))
    query = Query(f"{_run(name)} {_LIVE}", "{{run_id}}")
    return Panel(
        title, description, (query,), "stat", "none", 6, 5, words=words, nothing="no run is unsealed",
        runbook=runbook,
    )  # fmt: skip


def _age(title: str, expr: str, legend: str, label: str, description: str, steps: tuple[tuple[float, str], ...],
         runbook: str) -> Panel:  # fmt: skip
    return Panel(title, description, (Query(or_zero(expr, label), legend),), unit="s", steps=steps, runbook=runbook)


_ALIVE = Row("Alive", (
    _alive("Nodes", "tc_node_up", "Whether the process of each unsealed run lives.", "node-dead.md"),
    _alive("Supervisors", "tc_supervisor_up", "Whether the supervisor of each unsealed run lives.", "node-dead.md"),
    _alive("Kill agents", "tc_agent_armed", "Whether the kill agent of each unsealed run is armed.", "kill.md"),
    Panel("Phase", "What each node is doing.", (
        Query(f"({_run('tc_node_phase')} == 1) {_LIVE}", "{{run_id}}: {{phase}}"),),
          "stat", "none", 6, 5, is_name=True, base=BLUE, nothing="no node runs", runbook="node-dead.md"),
))  # fmt: skip

_BEATS = Row("Heartbeats and feeds", (
    _age("Heartbeat age", _run.age("tc_heartbeat_timestamp_seconds"), "{{run_id}} {{part}}", "part",
         "How long ago each part of a watched node did a unit of its work; order_path has one every five seconds, "
         "loop and pipeline alert above five.", ((10, RED),), "node-dead.md"),
    _age("Status age", _run.age("tc_node_status_timestamp_seconds"), "{{run_id}}", "run_id",
         "How long ago each node said how it stands; once a second.", ((5, RED),), "node-dead.md"),
    _age("Feed age", _run.age("tc_feed_received_timestamp_seconds"), "{{run_id}} {{instrument_id}}", "instrument_id",
         "How long ago market data came.", ((10, YELLOW), (30, RED)), "stale-data.md"),
    Panel("Stale after", "After how long without market data a run stands down.", (
        Query(_run("tc_feed_stale_after_seconds"), "{{run_id}}"),), "stat", "s", 6, 5, base=BLUE,
        nothing="no run is live", runbook="stale-data.md"),
    Panel("Restarts", "Starts of a run's node after the first, by its watchdog or by recovery.", (
        Query(_run.total("tc_node_restarts_total", by="run_id"), "{{run_id}}"),), "bargauge", width=6, height=5,
        steps=((1, ORANGE),), runbook="node-dead.md"),
    Panel("Reconnects", "How often the user stream was lost and came back.", (
        Query(_run.total("tc_stream_reconnects_total", by="run_id"), "{{run_id}}"),), "bargauge", width=6, height=5,
        steps=((1, YELLOW), (5, ORANGE)), runbook="venue-down.md"),
    Panel("Stopped", "Nodes that are stopped by a signal: they live and do nothing.", (
        Query(_run.total("tc_node_stopped"), "stopped"),), "stat", "short", 6, 5, steps=((1, RED),),
        runbook="node-dead.md"),
))  # fmt: skip

_AGENT = Row("Kill agent and the venue's limits", (
    Panel("Kill agent's heartbeat", "How long ago each kill agent's loop turned, and the venue answered it; it alerts "
          "above 5 and 20 seconds.", (
        Query(or_zero(_run.age("tc_agent_heartbeat_timestamp_seconds"), "part"), "{{run_id}} {{part}}"),),
        unit="s", width=6, steps=((5, YELLOW), (20, RED)), runbook="kill.md"),
    Panel("Dead-man countdown", "How long until the venue cancels what rests there, unless the kill agent renews it.", (
        Query(f"{_run('tc_dead_man_deadline_timestamp_seconds')} - time()", "{{run_id}}"),), "stat", "s", 6, 7,
        base=RED, steps=((0, YELLOW), (5, GREEN)), nothing="no live run has safety.dead_man_s",
        runbook="venue-down.md"),
    Panel("Venue limits in use", "The fullest use of each limit of the venue in its window; new orders wait from 70 %, "
          "the rest above 80 % is the kill agent's.", (
        Query(or_zero(f"max by (window) ({_run('tc_request_limit_use_ratio')})", "window"), "{{window}}"),),
        unit="percentunit", width=6, steps=((0.7, YELLOW), (0.8, RED)), runbook="venue-down.md"),
    Panel("Requests held back", "How often a request of a live run's node had to wait for the venue's limits.", (
        Query(or_zero(_run.total("tc_requests_held_back_total", by="run_id"), "run_id"), "{{run_id}}"),), "bargauge",
        width=6, steps=((1, YELLOW),), runbook="venue-down.md"),
))  # fmt: skip

_SPEED = Row("Speed", (
    _run.latency("Journal sync", "tc_journal_sync_seconds", "How long a sync of a journal took.", width=6),
    _run.latency("Intent to journal", "tc_intent_to_journal_seconds", "From intent to disk; no order leaves before.",
                 width=6),
    _run.latency("Submit to ack", "tc_submit_to_ack_seconds", "From sending an order to the venue's answer.", width=6),
    _run.latency("Ledger lock wait", "tc_ledger_lock_wait_seconds", "How long a command waited for the ledger's lock.",
                 width=6),
    Panel("Ledger", "Entries that runs wrote into their ledger, and commands that it refused since it was busy.", (
        Query(_run.rate("tc_ledger_commits_total"), "commits"), Query(_run.rate("tc_ledger_busy_total"), "refused")),
        unit="ops", width=12, runbook="latency.md"),
    Panel("Journal entries", "Entries that runs wrote lately.", (
        Query(or_zero(_run.rate("tc_journal_entries_total", by="run_id"), "run_id"), "{{run_id}}"),), unit="ops",
        width=12, runbook="storage.md"),
))  # fmt: skip

_EXPORTER = Row("Disks, exporter and Prometheus", (
    Panel("Disk free", "How much of the file system is left where artifacts and runtime lie.", (
        Query(f"{_any('tc_disk_free_bytes')} / {_any('tc_disk_size_bytes')}", "{{root}}"),), "bargauge", "percentunit",
        6, base=RED, steps=((0.1, YELLOW), (0.2, GREEN)), runbook="storage.md"),
    Panel("Targets up", "What Prometheus could scrape last, by job.", (
        Query(f"sum by (job) ({_any('up')})", "{{job}}"),), "bargauge", width=6, base=BLUE, runbook="monitoring.md"),
    _any.latency("Render", "tc_exporter_render_seconds", "How long it took to look at the runs and render the page.",
                 runbook="monitoring.md", width=6),
    Panel("Requests", "Requests that were answered, and those that were not, by reason.", (
        Query(_any.rate("tc_exporter_requests_total", by="page"), "{{page}}"),
        Query(f"{_any.rate('tc_exporter_requests_failed_total', by='reason')} > 0", "failed: {{reason}}")),
        unit="reqps", width=6, runbook="monitoring.md"),
    Panel("Exporter memory", "Resident memory of the exporter.", (
        Query(_any("process_resident_memory_bytes", 'job="tc-exporter"'), "{{instance}}"),), unit="bytes", width=6,
        steps=((150e6, ORANGE),), runbook="monitoring.md"),
    Panel("Runs in the index", "Runs that the exporter knows.", (Query(_any("tc_exporter_index_runs"), "runs"),),
          "stat", "short", 6, base=BLUE, runbook="monitoring.md"),
    Panel("Read failures", "Artifacts not read and files not written; the exporter's log names them.", (
        Query(_any.total("tc_exporter_read_failures_total"), "read"),
        Query(_any.total("tc_exporter_write_failures_total"), "written")), "stat", "short", 4, steps=((1, RED),),
        runbook="storage.md"),
    Panel("Index", "Whether every run was read; before that, aggregates are too small.", (
        Query(_any("tc_exporter_index_ready"), "index"),), "stat", "none", 4,
        words=(("1", "complete", GREEN), ("0", "reading", GRAY)), runbook="monitoring.md"),
    Panel("Targets down", "What Prometheus could not scrape last: these pages, Alertmanager, or itself.", (
        Query(or_zero(f"count by (job) ({_any('up')} == 0)", "job"), "{{job}}"),), "stat", "short", 4,
        steps=((1, RED),), runbook="monitoring.md"),
))  # fmt: skip

NODE_BOARD = Board(
    "tradingchassis-node-health", "tc-node", "TradingChassis / Node health",
    "What runs: processes, heartbeats, feeds, latencies, disks, and the exporter itself.",
    (JOB, INSTANCE, RUNS), (_ALIVE, _BEATS, _AGENT, _SPEED, _EXPORTER),
)  # fmt: skip
