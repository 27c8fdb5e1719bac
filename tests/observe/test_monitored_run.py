"""Prometheus and Alertmanager at a paper run that faults are injected into: each alert fires, arrives, and clears.

The rules are those of deploy/ with shorter durations (support/monitoring_lab.py); the run, its venue and its exporter
are processes as users start them. What a whole run does not lead to is in test_monitored_artifacts.py.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.capabilities import needs
from support.monitoring_lab import Monitoring, Webhook, webhook
from support.observe_lab import Serving, serving
from support.paper_lab import Paper, ended
from support.venue_process import until
from tc.durable import FileLock
from tc.runs.paper import SUPERVISOR
from tc.runs.paper_recovery import trace_of
from tc.store.ledger_directory import LedgerDirectory
from tc.store.run_directory import METRICS

pytestmark = [pytest.mark.whole_run, pytest.mark.timeout(600), needs("prometheus")]

WHO = ("--by", "Ada", "--reason", "drill")
AGENT = "agent.json"
FEES_OF_20_S = "daily_loss: 0.001"


@dataclass
class Scene:
    """A paper run, who looks at it, and who is woken."""

    paper: Paper
    process: subprocess.Popen[str]
    monitoring: Monitoring
    hook: Webhook
    pager: Webhook
    exporter: Serving

    def tc(self, *words: str) -> None:
        """Give a command; it must succeed."""
        done = subprocess.run([sys.executable, "-P", "-m", "tc", *words], env=self.paper.environment,
                              capture_output=True, text=True, check=False, timeout=120)  # fmt: skip
        assert done.returncode == 0, (words, done.stderr)

    def fault(self, kind: str, **words: object) -> None:
        """Arm a fault at the venue."""
        self.paper.control("POST", "/fault", {"kind": kind, **words})

    def node(self, number: signal.Signals) -> None:
        """Send the node a signal."""
        os.kill(self.paper.run.metadata()["pid"], number)

    def fires_and_clears(self, *alerts: str) -> None:
        """Wait until each alert arrived at the webhook, and was called over."""
        self.monitoring.arrives(*alerts)
        self.monitoring.clears(*alerts)


@contextmanager
def monitored(paper: Paper, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    """Start the run with a pager of its own, its exporter, Prometheus and Alertmanager; end all of it."""
    monkeypatch.setenv("XDG_STATE_HOME", paper.environment["XDG_STATE_HOME"])
    with ExitStack() as stack:
        hook, pager = (stack.enter_context(webhook()) for _ in range(2))
        paper.environment["TC_ALERT_PAGER"] = f"http://127.0.0.1:{pager.port}/pager"
        exporter = stack.enter_context(serving(paper.roots))
        monitoring = Monitoring(folder / "monitoring", paper.roots.runtime / "metrics" / "file_sd", hook)
        stack.callback(monitoring.stop)
        monitoring.start()
        process = paper.start()
        try:
            yield Scene(paper, process, monitoring, hook, pager, exporter)
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.terminate()
                try:
                    process.communicate(timeout=60)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.communicate()


def with_safety(paper: Paper, text: str) -> Paper:
    """Add to the spec's safety section."""
    paper.spec.write_text(paper.spec.read_text().replace("max_restarts: 3", f"max_restarts: 3\n  {text}"))
    return paper


def test_a_run_that_trades_is_seen_and_what_troubles_it_arrives_and_clears(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Up, with values that move; then its agent, its orders, its feed, and the first alert path itself."""
    paper = with_safety(Paper(tmp_path, "10m"), "stale_data_timeout_s: 2\n  alerts: [pager]")
    with monitored(paper, tmp_path, monkeypatch) as scene:
        _is_seen(scene)
        _agent(scene)
        _orders(scene)
        _ledger(scene)
        _books(scene)
        _feed_and_first_path(scene)


def test_a_run_that_is_harmed_and_killed_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its node stopped and killed, a latch that its fees close, a kill that waits for its venue, an artifact cut."""
    paper = Paper(tmp_path, "10m")
    paper.spec.write_text(
        paper.spec.read_text().replace("total_drawdown: 0.2", f"total_drawdown: 0.2\n  {FEES_OF_20_S}")
    )
    with monitored(paper, tmp_path, monkeypatch) as scene:
        _is_seen(scene)
        _node(scene)
        scene.monitoring.arrives("TcRiskLatchClosed")
        _kill(scene)
        scene.monitoring.clears("TcRiskLatchClosed")
        _artifact(scene)


def _is_seen(scene: Scene) -> None:
    look = scene.monitoring
    look.arrives("TcWatchdog")
    look.until(lambda: look.value('up{run_id="paper"}') == 1.0, "the run is no target that is up")
    look.until(lambda: (look.value("tc_fills_total") or 0) > 0, "no fill is seen")
    before = look.value("tc_fills_total")
    look.until(lambda: look.value("tc_fills_total") > before, "fills do not move")
    look.until(lambda: (look.value("run:tc_fills:rate1m") or 0) > 0, "the recording rules say nothing")


def _agent(scene: Scene) -> None:
    look = scene.monitoring
    agent = trace_of(scene.paper.run, AGENT)["pid"]
    os.kill(agent, signal.SIGSTOP)
    try:
        look.arrives("TcAgentNotArmed")
    finally:
        os.kill(agent, signal.SIGCONT)
    look.clears("TcAgentNotArmed")


def _orders(scene: Scene) -> None:
    scene.fault("reject", count=12)
    scene.fires_and_clears("TcOrdersRejected")
    scene.fault("latency", target="http", milliseconds=1500)
    try:
        scene.monitoring.arrives("TcAckSlow")
    finally:
        scene.fault("clear")
    scene.monitoring.clears("TcAckSlow")
    scene.fault("http", status=429, code=-1003, count=20)
    scene.monitoring.arrives("TcRequestsHeldBack")
    scene.fault("clear")
    scene.monitoring.clears("TcRequestsHeldBack")
    for _ in range(12):
        scene.fault("cut", target="user")
        time.sleep(0.5)
    scene.fires_and_clears("TcStreamReconnects")


def _ledger(scene: Scene) -> None:
    lock = FileLock(LedgerDirectory.of(scene.paper.roots, scene.paper.run.run_id).lock, purpose="drill", timeout_s=10)
    lock.acquire()
    try:
        scene.monitoring.arrives("TcLedgerBusy")
    finally:
        lock.release()
    scene.monitoring.clears("TcLedgerBusy")


def _books(scene: Scene) -> None:
    look = scene.monitoring
    scene.fault("drop", event="ORDER_TRADE_UPDATE", execution="TRADE", count=1_000)
    look.arrives("TcReconciliationBreak")
    scene.fault("clear")
    look.clears("TcReconciliationBreak")
    if look.query("tc_account_stood_down == 1 or tc_instrument_stood_down == 1"):
        scene.tc("resume", scene.paper.run.run_id, *WHO)


def _feed_and_first_path(scene: Scene) -> None:
    look = scene.monitoring
    scene.pager.status = 503
    scene.paper.feed(is_paused=True)
    look.arrives("TcFeedStale", "TcStoodDown", "TcAlertSinkFailing", "TcAlertUnacknowledged")
    time.sleep(3)
    scene.pager.status = 200
    look.arrives("TcAlertSlow")
    scene.paper.feed(is_paused=False)
    look.clears("TcFeedStale")
    look.arrives("TcIntentsDenied")
    scene.tc("resume", scene.paper.run.run_id, *WHO)
    done = subprocess.run([sys.executable, "-P", "-m", "tc", "alerts", "list", "--json"], env=scene.paper.environment,
                          capture_output=True, text=True, check=False)  # fmt: skip
    for each in json.loads(done.stdout):
        scene.tc("alerts", "ack", each["alert_id"], "--by", "Ada")
    look.clears("TcStoodDown", "TcAlertSinkFailing", "TcAlertUnacknowledged", "TcAlertSlow", "TcIntentsDenied")


def _node(scene: Scene) -> None:
    scene.node(signal.SIGSTOP)
    try:
        scene.monitoring.arrives("TcNodeStopped", "TcUptimeBurnsFast", "TcUptimeBurnsSlowly")
    finally:
        scene.node(signal.SIGCONT)
    scene.monitoring.clears("TcNodeStopped")
    scene.node(signal.SIGKILL)
    scene.fires_and_clears("TcNodeDown", "TcNodeRestarted", "TcUptimeBurnsFast", "TcUptimeBurnsSlowly")


def _kill(scene: Scene) -> None:
    scene.fault("refuse", target="http")
    command = [sys.executable, "-P", "-m", "tc", "kill", "activate", scene.paper.run.run_id, *WHO]
    with subprocess.Popen(command, env=scene.paper.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
        scene.monitoring.arrives("TcKillBegun", "TcKillIncomplete")
        scene.fault("clear")
        scene.monitoring.clears("TcKillIncomplete", "TcKillBegun")
    scene.process.communicate(timeout=120)
    if not scene.paper.run.is_sealed:  # on a busy machine the venue was away for so long that the run gave up asking it
        scene.tc("runs", "recover", scene.paper.run.run_id)
    assert scene.paper.run.metadata()["status"] == "killed"
    scene.tc("kill", "clear", scene.paper.run.run_id, *WHO)


def _artifact(scene: Scene) -> None:
    metrics = scene.paper.run.file(METRICS)
    whole = metrics.read_bytes()
    metrics.parent.chmod(0o755)
    metrics.chmod(0o644)
    metrics.write_bytes(whole[:100])
    scene.monitoring.arrives("TcArtifactBroken")
    metrics.write_bytes(whole)
    scene.monitoring.clears("TcArtifactBroken")


def test_a_run_that_holds_and_is_left_alone_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A blocked loop, limits in use, a venue that is not seen, no supervisor, nobody at all: until it is recovered."""
    paper = with_safety(Paper(tmp_path, "10m"), "dead_man_s: 10")
    paper.trade("stuck.py:Stuck", "mode: python\n      seconds: 8.5", 300)
    limits = "position_value: {BTCUSDT-PERP.BINANCE: 470 USDT, account: 700 USDT}\n  open_positions: 1"
    paper.spec.write_text(paper.spec.read_text().replace("position_value: 4000 USDT", limits))
    with monitored(paper, tmp_path, monkeypatch) as scene:
        look = scene.monitoring
        scene.fires_and_clears("TcNodeStalled")
        look.arrives("TcLimitHalfUsed", "TcLimitNearlyUsed", "TcLimitReached")
        scene.fault("refuse", target="http")
        look.arrives("TcDeadManRanOut", "TcVenueUnseen", "TcReconciliationOld")
        scene.fault("clear")
        look.clears("TcDeadManRanOut", "TcVenueUnseen", "TcReconciliationOld")
        os.kill(trace_of(paper.run, SUPERVISOR)["pid"], signal.SIGKILL)
        scene.process.wait()
        look.arrives("TcSupervisorDown")
        scene.node(signal.SIGKILL)
        look.arrives("TcRunInterrupted")
        scene.tc("runs", "recover", paper.run.run_id)
        scene.process.communicate()
        look.clears("TcSupervisorDown", "TcRunInterrupted", "TcLimitHalfUsed", "TcLimitNearlyUsed", "TcLimitReached")
        until(lambda: paper.run.is_sealed)


def test_trading_does_not_notice_prometheus_down_or_slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is stopped, killed, and every page is asked for ten times a second by others: the run ends as it should."""
    paper = Paper(tmp_path, "15s")
    with monitored(paper, tmp_path, monkeypatch) as scene:
        scene.monitoring.until(lambda: scene.monitoring.value('up{run_id="paper"}') == 1.0, "the run is no target")
        os.kill(scene.monitoring.pid(), signal.SIGSTOP)
        for _ in range(30):
            for page in ("/metrics", "/metrics/run/paper", "/metrics/exporter"):
                scene.exporter.page(page)
            time.sleep(0.1)
        os.kill(scene.monitoring.pid(), signal.SIGKILL)
        scene.exporter.process.send_signal(signal.SIGSTOP)
        code, facts, words = ended(scene.process)
        scene.exporter.process.send_signal(signal.SIGCONT)
    assert (code, facts["status"], facts["reconciliation"]) == (0, "completed", "matched"), words
    assert "did nothing" not in words
    assert paper.verified().is_equal
