"""Pages: the same bytes from export and scrape, accepted by the strictest readers, exact to the last digit."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys

import pytest

from support.observe_lab import OPENMETRICS, copy_run, exporter_of, promtool, series_of, serving, value
from tc.clock import parse_utc_ns
from tc.observe.activity import reject_reason
from tc.store.roots import Roots
from tc.store.run_directory import METRICS, RunDirectory

RUNS = 120


def exported(roots: Roots, *arguments: str) -> bytes:
    """Return what `tc metrics export` prints."""
    environment = os.environ | {"TC_ARTIFACTS_ROOT": str(roots.artifacts), "TC_RUNTIME_ROOT": str(roots.runtime)}
    command = [sys.executable, "-P", "-m", "tc", "metrics", "export", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def many(sealed: RunDirectory, roots: Roots) -> Roots:
    """Return roots with runs that ended a second after each other, two of them badly."""
    for number in range(RUNS):
        status = "failed" if number in (0, 119) else "completed"
        ended = f"2026-01-01T00:{number // 60:02d}:{number % 60:02d}.123456789Z"
        copy_run(sealed, roots, f"run-{number:03d}", ended=ended, status=status)
    return roots


def test_export_and_scrape_are_the_same_bytes(many: Roots) -> None:
    """Of all runs and of one, in both formats; compressed it unpacks to the same."""
    with serving(many) as server:
        for path, arguments in (("/metrics", ()), ("/metrics/run/run-007", ("run-007",))):
            status, headers, body = server.get(path)
            assert (status, headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
            assert body == exported(many, *arguments)
            status, headers, strict = server.get(path, **OPENMETRICS)
            assert headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
            assert strict == exported(many, *arguments, "--openmetrics")
            _, headers, packed = server.get(path, **OPENMETRICS, Accept_Encoding="gzip")
            assert headers["content-encoding"] == "gzip"
            assert gzip.decompress(packed) == strict


def test_the_strictest_readers_accept_every_page(many: Roots) -> None:
    """The OpenMetrics parser of the client library reads every series once; promtool has nothing to say."""
    with serving(many) as server:
        for path in ("/metrics", "/metrics/run/run-000", "/metrics/exporter"):
            _, _, strict = server.get(path, **OPENMETRICS)
            body = server.page(path)
            if path != "/metrics/exporter":  # which has moved meanwhile
                assert series_of(strict, is_strict=True) == series_of(body)
            assert promtool(body) == ""


def test_times_are_exact(many: Roots, sealed: RunDirectory) -> None:
    """A time is printed to the microsecond, and is the one in the artifact."""
    body = exporter_of(many).run("run-007").body("text")
    created = json.loads(sealed.file("metadata.json").read_bytes())["created"]
    assert abs(value(body, "tc_run_created_timestamp_seconds") * 1e9 - parse_utc_ns(created)) < 1_000
    assert abs(value(body, "tc_run_ended_timestamp_seconds") - 1767225607.123457) < 2e-6


def test_the_last_hundred_that_ended_are_named_and_the_rest_is_counted(many: Roots) -> None:
    """tc_run_info stands for the hundred newest; older runs are in the amounts, and nothing is lost between the two."""
    page = exporter_of(many).fleet().body("text")
    named = {dict(labels)["run_id"] for (name, labels) in series_of(page) if name == "tc_run_info"}
    assert named == {f"run-{number:03d}" for number in range(20, RUNS)}
    assert value(page, "tc_fleet_runs", group="recent") == 100
    assert value(page, "tc_fleet_runs", group="older") == 20
    assert value(page, "tc_fleet_runs", group="older", status="failed") == 1
    assert value(page, "tc_fleet_runs", group="running") == 0
    one = exporter_of(many).run("run-050").body("text")
    fills = value(one, "tc_fills_total")
    assert fills > 0
    assert value(page, "tc_fleet_fills", group="older") == 20 * fills
    assert value(page, "tc_fleet_fills") == RUNS * fills


def test_a_failed_run_is_there(many: Roots) -> None:
    """A run that failed has its page, its status and its numbers like any other."""
    body = exporter_of(many).run("run-119").body("text")
    assert value(body, "tc_run_status", status="failed") == 1
    assert value(body, "tc_run_status") == 1
    assert value(body, "tc_fills_total") > 0


def test_what_has_not_happened_is_zero_and_not_absent(many: Roots) -> None:
    """Every reason, verdict, stage and kind is there before the first of it."""
    body = exporter_of(many).run("run-001").body("text")
    assert value(body, "tc_intents_denied_total", reason="KILLED") == 0
    assert value(body, "tc_alerts_raised_total", kind="kill_activated", severity="page") == 0
    assert value(body, "tc_kill_stage_seconds_count", stage="flat") == 0
    assert value(body, "tc_orders_rejected_total", reason="margin") == 0
    assert value(body, "tc_kill_latched", scope="run") == 0


def test_a_run_of_an_older_version_says_what_it_knows(sealed: RunDirectory, roots: Roots) -> None:
    """metrics.json without the counts by event still gives orders, fills and denials."""
    run = copy_run(sealed, roots, "old")
    document = json.loads(run.file(METRICS).read_bytes())
    del document["activity"]
    run.file(METRICS).write_text(json.dumps(document))
    log: list[str] = []
    body = exporter_of(roots, log).run("old").body("text")
    assert value(body, "tc_orders_initialized_total") == document["orders"]["total"]
    assert value(body, "tc_fills_total") == document["fills"]
    assert log == []


def drilled(run: RunDirectory, number: int, drill: str, verdict: str, ended: str) -> None:
    """Leave a drill's evidence in a run."""
    folder = run.file("drills")
    folder.mkdir(exist_ok=True)
    document = {"drill": drill, "verdict": verdict, "ended": ended}
    (folder / f"{drill}-{number}.json").write_text(json.dumps(document))


def test_the_last_drill_of_each_name_is_what_counts(sealed: RunDirectory, roots: Roots) -> None:
    """Over all runs the newest verdict holds, with its time; the run's own page counts its drills by verdict."""
    for number in range(3):
        copy_run(sealed, roots, f"run-{number}")
    drilled(RunDirectory(roots, "run-0"), 1, "disk-full", "pass", "2026-03-01T00:00:00Z")
    drilled(RunDirectory(roots, "run-1"), 1, "disk-full", "fail", "2026-02-01T00:00:00Z")
    drilled(RunDirectory(roots, "run-1"), 2, "kill", "deviated", "2026-02-02T00:00:00Z")
    drilled(RunDirectory(roots, "run-1"), 3, "kill", "pass", "2026-02-01T00:00:00Z")
    exporter = exporter_of(roots)
    page, one = exporter.fleet().body("text"), exporter.run("run-1").body("text")
    assert value(page, "tc_drill_verdict", drill="disk-full", verdict="pass") == 1
    assert value(page, "tc_drill_verdict", drill="disk-full") == 1
    assert value(page, "tc_drill_verdict", drill="kill", verdict="deviated") == 1
    assert value(page, "tc_drill_ended_timestamp_seconds", drill="disk-full") == 1772323200
    assert {verdict: value(one, "tc_drills", verdict=verdict) for verdict in ("pass", "fail", "deviated")} == {
        "pass": 1, "fail": 1, "deviated": 1,
    }  # fmt: skip
    assert promtool(page) == promtool(one) == ""


def test_a_drill_with_a_run_of_its_own_counts_too_and_a_broken_one_is_named(sealed: RunDirectory, roots: Roots) -> None:
    """Evidence below artifacts/evidence/drills is on the page at the next scrape; what is none is counted, once."""
    copy_run(sealed, roots, "run-0")
    log: list[str] = []
    exporter = exporter_of(roots, log)
    assert b"kill-switch" not in exporter.fleet().body("text")
    folder = roots.evidence / "drills"
    folder.mkdir(parents=True)
    document = {"drill": "kill-switch", "verdict": "pass", "ended": "2026-03-01T00:00:00Z"}
    (folder / "kill-switch-1.json").write_text(json.dumps(document))
    (folder / "torn-1.json").write_text('{"drill": ')
    for _ in range(2):
        page = exporter.fleet().body("text")
    assert value(page, "tc_drill_verdict", drill="kill-switch", verdict="pass") == 1
    assert [line for line in log if "torn-1.json" in line] == log[-1:]
    (folder / "kill-switch-1.json").unlink()
    assert b"kill-switch" not in exporter.fleet().body("text")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("-2019: Margin is insufficient.", "margin"), ("{'code': -5022, 'msg': 'x'}", "post_only"),
        ("ReduceOnly Order is rejected", "reduce_only"), ("something else", "other"), ("", "other"),
    ],
)  # fmt: skip
def test_what_a_venue_says_is_one_of_a_few_reasons(text: str, reason: str) -> None:
    """Its code decides, else its words; what nobody knows is `other`."""
    assert reject_reason(text) == reason
