"""A paper run seen from outside while it runs: values move, every signal is there, and its end shows at once."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from support.observe_lab import Serving, promtool, serving, value
from support.paper_lab import Paper
from tc.observe.catalogue import PAGES

DEADLINE_S = 120.0
LATER = {
    "tc_bars_planned", "tc_return_ratio", "tc_run_exit_code", "tc_drill_verdict", "tc_drill_ended_timestamp_seconds",
    "tc_drawdown_max_ratio", "tc_limit_warnings_total", "tc_alert_latency_seconds", "tc_alert_failures_total",
    "tc_positions_closed", "tc_positions_won", "tc_run_ended_timestamp_seconds", "tc_mark_price",
    "tc_position_quantity", "tc_fleet_last_ended_timestamp_seconds",
}  # fmt: skip
"""What a run that runs well may not have yet: ends, alerts, warnings and drills; a position now and then."""


def families(body: bytes) -> set[str]:
    """Return the families that have a sample, as the catalogue names them."""
    found = set()
    for family in text_string_to_metric_families(body.decode()):
        if family.samples:
            found.add(family.name + {"counter": "_total"}.get(family.type, ""))
    return found


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for something that takes a node's while; ask seldom, since a page is work."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.25)


@contextmanager
def running(paper: Paper) -> Iterator[subprocess.Popen[str]]:
    """Run it; what is left of it when the block ends is ended."""
    process = paper.start()
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=DEADLINE_S)


@contextmanager
def trading(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Paper, Serving, str, subprocess.Popen[str]]]:
    """Serve the numbers of a run that has traded; `path` is that of its page."""
    paper = Paper(folder, "10m")
    paper.spec.write_text(paper.spec.read_text().replace("max_restarts: 3", "max_restarts: 3\n  dead_man_s: 10"))
    monkeypatch.setenv("XDG_STATE_HOME", paper.environment["XDG_STATE_HOME"])
    with serving(paper.roots) as server, running(paper) as process:
        path = f"/metrics/run/{paper.run.run_id}"
        until(lambda: server.get(path)[0] == 200 and value(server.page(path), "tc_fills_total") > 5, "it never traded")
        yield paper, server, path, process


def moving(read: Callable[[], float], what: str) -> None:
    """Wait until a value has grown."""
    before = read()
    until(lambda: read() > before, f"{what} did not move")


@pytest.mark.whole_run
@pytest.mark.timeout(400)
def test_a_running_run_is_seen_as_it_runs_and_as_ended_when_it_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fills, heartbeats and latencies move between scrapes; all of the catalogue is filled; the end is seen at once."""
    with trading(tmp_path, monkeypatch) as (_, server, path, process):

        def read(name: str, page: str = path, **labels: str) -> Callable[[], float]:
            return lambda: value(server.page(page), name, **labels)

        moving(read("tc_fills_total"), "fills")
        moving(read("tc_heartbeat_timestamp_seconds", part="loop"), "the loop's heartbeat")
        moving(read("tc_node_status_timestamp_seconds"), "the node's word")
        moving(read("tc_agent_heartbeat_timestamp_seconds", part="loop"), "the kill agent's loop")
        moving(read("tc_dead_man_deadline_timestamp_seconds"), "the dead man's countdown")
        until(lambda: read("tc_reconciliation_status", status="matched")() == 1, "the books never agreed")
        moving(read("tc_fleet_fills", "/metrics", group="running", mode="paper"), "fills of all runs")
        page = server.page(path)
        assert abs(value(page, "tc_heartbeat_timestamp_seconds", part="loop") - time.time()) < 5
        for name in ("intent_to_journal", "journal_sync", "submit_to_ack", "ack_to_fill", "ledger_lock_wait"):
            assert value(page, f"tc_{name}_seconds_count") > 0, name
        assert value(page, "tc_ledger_commits_total") > 0
        for name in ("tc_node_up", "tc_supervisor_up", "tc_agent_armed", "tc_node_watched"):
            assert value(page, name) == 1, name
        assert value(page, "tc_strategy_state", strategy="ping-pong", state="active") == 1
        assert 0 < value(page, "tc_dead_man_deadline_timestamp_seconds") - time.time() <= 10
        assert 0 < value(page, "tc_request_limit_use_ratio", window="weight_1m") < 0.8
        assert value(page, "tc_kill_latched") == value(page, "tc_run_broken_artifacts") == 0
        wanted = {family.name for family in PAGES["run"]} - LATER
        assert wanted <= families(page), wanted - families(page)
        wanted = {family.name for family in PAGES["fleet"]} - LATER
        assert wanted <= families(server.page()), wanted - families(server.page())
        wanted = {family.name for family in PAGES["exporter"]}
        assert wanted <= families(server.page("/metrics/exporter"))
        assert promtool(page) == promtool(server.page()) == ""
        process.terminate()
        process.communicate(timeout=DEADLINE_S)
        assert process.returncode == 0
        fleet, page = server.page(), server.page(path)
        assert value(fleet, "tc_fleet_runs", group="running") == 0
        assert value(fleet, "tc_fleet_runs", group="recent", status="interrupted", mode="paper") == 1
        assert value(page, "tc_run_sealed") == value(page, "tc_run_status", status="interrupted") == 1
        assert value(page, "tc_intent_to_journal_seconds_count") > 0
        assert value(page, "tc_node_up") == 0
        assert value(page, "tc_run_exit_code") == 0


@pytest.mark.whole_run
@pytest.mark.timeout(400)
def test_a_kill_is_seen_by_stage_and_its_alerts_by_latency(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After `tc kill` the run's page has the latch, the stages, and how long the alerts took."""
    with trading(tmp_path, monkeypatch) as (paper, server, path, process):
        killing = [sys.executable, "-P", "-m", "tc", "kill", "activate", "paper", "--by", "test", "--reason", "test"]
        done = subprocess.run(killing, env=paper.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        process.communicate(timeout=DEADLINE_S)
        page = server.page(path)
        assert value(page, "tc_kill_latched", scope="run") == 1
        assert value(page, "tc_kills_total") == value(page, "tc_kills_confirmed_total") == 1
        assert value(page, "tc_kill_stage_seconds_count", stage="flat") == 1
        assert value(page, "tc_run_status", status="killed") == 1
        assert value(page, "tc_alerts_raised_total", kind="kill_activated") == 1
        assert value(page, "tc_alert_latency_seconds_count", sink="log") > 0
        assert value(page, "tc_alert_latency_seconds_bucket", sink="log", le="5.0") > 0
        assert promtool(page) == ""


@pytest.mark.whole_run
@pytest.mark.timeout(400)
def test_trading_does_not_notice_who_looks_at_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scraped ten times a second, with two hundred clients that hang, and with a stopped exporter, it trades on."""
    with trading(tmp_path, monkeypatch) as (_, server, path, process):
        hanging = [socket.create_connection(("127.0.0.1", server.port), timeout=20) for _ in range(200)]
        began, before = time.monotonic(), value(server.page(path), "tc_fills_total")
        for number in range(100):
            server.page(path)
            server.page()
            time.sleep(max(0.0, began + number / 10 - time.monotonic()))
        page = server.page(path)
        assert value(page, "tc_fills_total") > before
        assert value(page, "tc_account_stood_down") == value(page, "tc_node_restarts_total") == 0
        server.process.send_signal(signal.SIGSTOP)
        time.sleep(5)
        server.process.send_signal(signal.SIGCONT)
        page = server.page(path)
        assert value(page, "tc_alerts_open") == value(page, "tc_account_stood_down") == 0
        assert abs(value(page, "tc_heartbeat_timestamp_seconds", part="pipeline") - time.time()) < 5
        for client in hanging:
            client.close()
        process.terminate()
        process.communicate(timeout=DEADLINE_S)
        assert process.returncode == 0
