"""Alerts that a short paper run does not lead to: run directories that are made up, read by the real exporter.

And those about the exporter, the disk, Prometheus and Alertmanager, which are really stopped, filled and misled.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.capabilities import needs
from support.made_up_run import MadeUpRun, drilled, ended_run, fill
from support.monitoring_lab import Monitoring, Webhook, free_port, webhook
from support.mounts import small_disk
from support.observe_lab import Serving, copy_run, serving
from tc.store.kill_latch import KillLatch
from tc.store.roots import Roots
from tc.store.run_directory import RunDirectory

pytestmark = [pytest.mark.whole_run, pytest.mark.timeout(600), needs("prometheus")]

RECENT_S = 15 * 60
DRILL_TOO_OLD_S = 91 * 24 * 3600
MANY_TO_MANY = """
groups:
  - name: bad
    rules:
      - record: bad
        expr: prometheus_http_requests_total * on () prometheus_http_requests_total
"""


@pytest.fixture
def hook() -> Iterator[Webhook]:
    """Return who is woken."""
    with webhook() as found:
        yield found


@pytest.fixture
def exporter(roots: Roots) -> Iterator[Serving]:
    """Return the exporter at work."""
    with serving(roots) as found:
        yield found


@pytest.fixture
def monitoring(tmp_path: Path, roots: Roots, exporter: Serving, hook: Webhook) -> Iterator[Monitoring]:
    """Return Prometheus and Alertmanager at the exporter."""
    found = Monitoring(tmp_path / "monitoring", roots.runtime / "metrics" / "file_sd", hook)
    try:
        found.start()
        found.until(lambda: found.value('up{job="tc"}') == 1.0, "the exporter is no target that is up")
        yield found
    finally:
        found.stop()


def test_runs_that_ended_badly_and_one_that_suffers(
    sealed: RunDirectory, roots: Roots, monitoring: Monitoring, hook: Webhook
) -> None:
    """Failed, unmatched, drills, a closed latch, slow disk, silence, a hung agent; and a webhook that refuses."""
    ended_run(sealed, roots, "failed", RECENT_S - 30, status="failed")
    ended_run(sealed, roots, "differs", RECENT_S - 30, reconciliation="mismatched")
    drilled(ended_run(sealed, roots, "drilled", DRILL_TOO_OLD_S), "fail", DRILL_TOO_OLD_S)
    latch = KillLatch.of_all()
    latch.close("Ada", "drill")
    with MadeUpRun(sealed, roots, "suffers") as run:
        hook.status = 400
        ills = ("is_silent", "is_slow", "is_hung")
        for ill in ills:
            setattr(run, ill, True)
        monitoring.until(lambda: "TcAlertsNotDelivered" in monitoring.firing(), "undelivered alerts are not noticed")
        hook.status = 200
        on_the_run = ("TcNodeSilent", "TcJournalSlow", "TcAgentStalled")
        on_others = ("TcDrillFailed", "TcDrillOverdue", "TcKillAllLatched", "TcAlertsNotDelivered")
        monitoring.arrives("TcRunFailed", run_id="failed")
        monitoring.arrives("TcRunEndedWithBreaks", run_id="differs")
        monitoring.arrives(*on_the_run, run_id="suffers")
        monitoring.arrives(*on_others)

        for ill in ills:
            setattr(run, ill, False)
        drilled(copy_run(sealed, roots, "drilled-again"), "pass", 0)
        latch.clear("Ada", "drill is over")
        monitoring.clears(*on_the_run, run_id="suffers")
        monitoring.clears(*on_others, "TcRunFailed", "TcRunEndedWithBreaks")


def test_whoever_watches_is_watched(
    tmp_path: Path, sealed: RunDirectory, roots: Roots, exporter: Serving, monitoring: Monitoring
) -> None:
    """An exporter that hangs or cannot write, another Alertmanager that is gone, a bad configuration, a bad rule."""
    copy_run(sealed, roots, "one")
    monitoring.until(lambda: monitoring.value('up{run_id="one"}') == 1.0, "the run is no target")
    exporter.process.send_signal(signal.SIGSTOP)
    monitoring.arrives("TcExporterDown", "TcExporterPageDown", "TcExporterSlow")
    exporter.process.send_signal(signal.SIGCONT)
    monitoring.clears("TcExporterDown", "TcExporterPageDown", "TcExporterSlow")

    targets = roots.runtime / "metrics" / "file_sd" / "runs.json"
    targets.unlink()
    targets.mkdir()
    copy_run(sealed, roots, "two")
    monitoring.arrives("TcExporterFaults")
    targets.rmdir()
    monitoring.clears("TcExporterFaults")

    good, another = monitoring.config.read_text(), free_port()
    monitoring.config.write_text("nonsense: true\n")
    monitoring.reload()
    monitoring.arrives("TcPrometheusConfigBad")
    bad_rule = monitoring.rules / "bad.yml"
    bad_rule.write_text(MANY_TO_MANY)
    before, _, after = good.rpartition(f"127.0.0.1:{monitoring.alertmanager_port}")
    monitoring.config.write_text(f"{before}127.0.0.1:{monitoring.alertmanager_port}, 127.0.0.1:{another}{after}")
    monitoring.reload()
    monitoring.clears("TcPrometheusConfigBad")
    monitoring.arrives("TcAlertmanagerDown", "TcPrometheusRuleFailures")
    monitoring.start_alertmanager(another)
    bad_rule.unlink()
    monitoring.reload()
    monitoring.clears("TcAlertmanagerDown", "TcPrometheusRuleFailures")


@needs("tmpfs")
def test_a_disk_that_fills_is_told_of_twice(tmp_path: Path, roots: Roots, hook: Webhook) -> None:
    """At a tenth and at three hundredths of what there is; both are over when there is room again."""
    with small_disk(roots.artifacts, "8m"), serving(roots):
        monitoring = Monitoring(tmp_path / "monitoring", roots.runtime / "metrics" / "file_sd", hook)
        try:
            monitoring.start()
            fill(roots.artifacts, 0.07)
            monitoring.arrives("TcDiskFilling", root="artifacts")
            fill(roots.artifacts, 0.02)
            monitoring.arrives("TcDiskAlmostFull", root="artifacts")
            (roots.artifacts / "filler").unlink()
            monitoring.clears("TcDiskAlmostFull", root="artifacts")
            monitoring.clears("TcDiskFilling", root="artifacts")
        finally:
            monitoring.stop()
