"""The families of `/metrics`, of all runs together, and of `/metrics/exporter`, of the exporter itself.

Amounts over runs are gauges: they fall when an operator removes a run.
"""

from __future__ import annotations

from tc.observe.catalogue_run import RUN_INFO
from tc.observe.family import Family, Label, counter, gauge, histogram, info, moment
from tc.observe.vocabulary import (
    ARTIFACT,
    DENIAL_REASON,
    DRILL,
    DRILL_VERDICT,
    GROUP,
    MODE,
    RECONCILIATION_STATUS,
    SEVERITY,
    STATUS,
)

FLEET_FAMILIES: tuple[Family, ...] = (
    RUN_INFO,
    gauge("tc_fleet_runs", "Runs.", GROUP, MODE, STATUS),
    moment("tc_fleet_last_ended_timestamp_seconds", "When a run last ended with the status, UNIX time.", MODE, STATUS,
           appears="once a run ended so"),
    gauge("tc_fleet_orders", "Orders of the runs.", GROUP, MODE),
    gauge("tc_fleet_orders_rejected", "Orders that venues refused.", GROUP, MODE),
    gauge("tc_fleet_fills", "Fills of the runs.", GROUP, MODE),
    gauge("tc_fleet_intents_denied", "Intents that gates denied, by docs/reason-codes.md.", GROUP, DENIAL_REASON),
    gauge("tc_fleet_bars", "Bars that were delivered.", GROUP, MODE),
    gauge("tc_fleet_positions_open", "Positions that are not flat; of ended runs, as they ended.", GROUP, MODE),
    gauge("tc_fleet_journal_entries", "Entries of the runs' journals.", GROUP, MODE),
    gauge("tc_fleet_journal_size_bytes", "Size of the runs' journals.", GROUP, MODE, unit="bytes"),
    gauge("tc_fleet_reconciliations", "Runs by what their last reconciliation found.", GROUP, RECONCILIATION_STATUS),
    gauge("tc_fleet_reconciliation_breaks", "Differences between books as of the runs' last reconciliations.", GROUP),
    gauge("tc_fleet_nodes_up", "Runs whose process lives and is not stopped.", MODE),
    gauge("tc_fleet_agents_armed", "Running paper runs whose kill agent is armed."),
    gauge("tc_fleet_runs_latched", "Running runs that a kill latch holds for."),
    gauge("tc_fleet_alerts_open", "Open alerts of running runs.", SEVERITY),
    gauge("tc_fleet_alerts_unacknowledged", "Open alerts of running runs that nobody acknowledged.", SEVERITY),
    gauge("tc_fleet_broken_artifacts", "Runs of which an artifact cannot be read; the log names them.", ARTIFACT),
    gauge("tc_fleet_kill_all_latched", "1 where the latch is closed that holds for every run of this user."),
    gauge("tc_drill_verdict", "1 for how the last drill of its name came out, 0 for the rest.", DRILL, DRILL_VERDICT,
          appears="once a drill was run"),
    moment("tc_drill_ended_timestamp_seconds", "When the last drill of its name ended, UNIX time.", DRILL,
           appears="once a drill was run"),
)  # fmt: skip

EXPORTER_FAMILIES: tuple[Family, ...] = (
    info("tc_exporter_info", "Always 1; says what serves these pages.",
         Label("version", bound="one"), Label("python", bound="one")),
    moment("tc_exporter_start_timestamp_seconds", "When the exporter began, UNIX time.", appears=""),
    counter("tc_exporter_requests_total", "Requests that were answered with a page.",
            Label("page", ("fleet", "run", "exporter"))),
    counter("tc_exporter_requests_failed_total", "Requests that were not.",
            Label("reason", ("not_found", "bad_request", "unauthorized", "too_large", "too_slow", "fault"))),
    counter("tc_exporter_renders_total", "Pages that were rendered; requests at the same time share one.",
            Label("page", ("fleet", "run"))),
    histogram("tc_exporter_render_seconds", "How long it took to look at the runs and render the fleet's page."),
    gauge("tc_exporter_connections", "Connections that are open."),
    counter("tc_exporter_connections_dropped_total", "Connections that were closed to make room for new ones."),
    gauge("tc_exporter_index_runs", "Runs that the exporter knows."),
    gauge("tc_exporter_index_ready", "1 once every run was read; before that, aggregates are too small."),
    counter("tc_exporter_runs_read_total", "How often a finished run was read, since it was new or had changed."),
    counter("tc_exporter_read_failures_total", "Artifacts that could not be read; the log names them.", ARTIFACT),
    counter("tc_exporter_write_failures_total", "Files that the exporter could not write.",
            Label("file", ("file_sd", "index"))),
    gauge("tc_disk_free_bytes", "Space that is left where the root lies.", Label("root", ("artifacts", "runtime")),
          unit="bytes", appears="where the root exists"),
    gauge("tc_disk_size_bytes", "Size of the file system where the root lies.",
          Label("root", ("artifacts", "runtime")), unit="bytes", appears="where the root exists"),
)  # fmt: skip
"""Beside these, the client library's own `process_*` and `python_info`."""
