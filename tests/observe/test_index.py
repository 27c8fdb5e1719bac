"""The index of ended runs: each is read once, what changes is seen at the next look, and amounts stay exact."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from support.observe_lab import copy_run, exporter_of, value
from tc.clock import SYSTEM_CLOCK
from tc.durable import FileLock
from tc.observe.exporter import INDEX, Exporter
from tc.observe.sheet import Sheet
from tc.store.roots import Roots
from tc.store.run_directory import MANIFEST, METADATA, METRICS, RunDirectory
from tc.store.run_store import RunStore


def fleet(exporter: Exporter) -> bytes:
    """Return the page of all runs."""
    return exporter.fleet().body("text")


def test_a_run_is_read_once(sealed: RunDirectory, roots: Roots) -> None:
    """Ten further looks at unchanged runs read none of them again; a changed one alone is read again."""
    runs = [copy_run(sealed, roots, f"run-{number}") for number in range(30)]
    exporter = exporter_of(roots)
    for _ in range(10):
        fleet(exporter)
    assert exporter.index.counts.read == 30
    document = json.loads(runs[7].file(METADATA).read_bytes()) | {"status": "failed"}
    runs[7].file(METADATA).write_text(json.dumps(document))
    page = fleet(exporter)
    assert exporter.index.counts.read == 31
    assert value(page, "tc_fleet_runs", status="failed") == 1
    assert value(page, "tc_fleet_runs", status="completed") == 29


def test_a_change_of_a_run_long_ended_is_found_in_turn(sealed: RunDirectory, roots: Roots) -> None:
    """Of runs beyond the last hundred some are looked at each time, until all were."""
    for number in range(180):
        copy_run(sealed, roots, f"run-{number:03d}", ended=f"2026-01-01T{number // 60:02d}:{number % 60:02d}:00Z")
    exporter = exporter_of(roots)
    RunDirectory(roots, "run-000").file(METRICS).unlink()
    for _ in range(8):
        page = fleet(exporter)
    assert value(page, "tc_fleet_broken_artifacts", artifact=METRICS) == 1


def test_new_and_removed_runs_are_seen_at_the_next_look(sealed: RunDirectory, roots: Roots) -> None:
    """However quickly they come and go, the amounts are those of the runs that are there."""
    exporter = exporter_of(roots)
    assert value(fleet(exporter), "tc_fleet_runs") == 0
    for number in range(20):
        copy_run(sealed, roots, f"run-{number}")
        assert value(fleet(exporter), "tc_fleet_runs") == number + 1
    fills = value(fleet(exporter), "tc_fleet_fills")
    for number in range(19):
        shutil.rmtree(roots.runs / f"run-{number}")
        assert value(fleet(exporter), "tc_fleet_runs") == 19 - number
    assert value(fleet(exporter), "tc_fleet_fills") == fills / 20
    shutil.rmtree(roots.runs / "run-19")
    assert fleet(exporter) == Exporter(roots, log=print).fleet().body("text")


def test_a_run_that_ends_is_visible_at_the_next_scrape(sealed: RunDirectory, roots: Roots) -> None:
    """Held by its lock a run is running; sealed, it has ended, on both pages at once."""
    run = copy_run(sealed, roots, "run", status="running", ended=None)
    run.file(MANIFEST).unlink()
    roots.locks.mkdir(parents=True)
    lock = FileLock(run.lock_path, purpose="run", timeout_s=0)
    lock.acquire()
    exporter = exporter_of(roots)
    assert value(fleet(exporter), "tc_fleet_runs", group="running", status="running") == 1
    assert value(fleet(exporter), "tc_fleet_nodes_up", mode="backtest") == 1
    assert value(exporter.run("run").body("text"), "tc_node_up") == 1
    for name in (METADATA, MANIFEST):
        shutil.copyfile(sealed.file(name), run.file(name))
    document = json.loads(run.file(METADATA).read_bytes()) | {"run_id": "run"}
    run.file(METADATA).write_text(json.dumps(document))
    lock.release()
    page = fleet(exporter)
    assert value(page, "tc_fleet_runs", group="running") == 0
    assert value(page, "tc_fleet_runs", group="recent", status="completed") == 1
    assert value(exporter.run("run").body("text"), "tc_run_sealed") == 1


def test_a_run_whose_process_is_gone_is_interrupted_and_can_come_back(sealed: RunDirectory, roots: Roots) -> None:
    """Unsealed and held by nobody it is interrupted; taken up again it runs, though it was known already."""
    run = copy_run(sealed, roots, "run", status="running", ended=None)
    run.file(MANIFEST).unlink()
    exporter = exporter_of(roots)
    assert value(fleet(exporter), "tc_fleet_runs", status="interrupted", group="recent") == 1
    writer = RunStore(roots).reopen("run")
    writer.update(pid=1)
    assert value(fleet(exporter), "tc_fleet_runs", status="running", group="running") == 1
    writer.close()
    assert value(fleet(exporter), "tc_fleet_runs", status="interrupted", group="recent") == 1


def test_the_next_process_begins_with_what_this_one_knew(sealed: RunDirectory, roots: Roots) -> None:
    """It reads only what is new or has changed since, and says the same."""
    for number in range(150):
        copy_run(sealed, roots, f"run-{number}")
    first = exporter_of(roots)
    page = fleet(first)
    second = exporter_of(roots)
    assert fleet(second) == page
    assert second.index.counts.read == 0
    copy_run(sealed, roots, "new")
    RunDirectory(roots, "run-3").file(METRICS).unlink()
    third = exporter_of(roots)
    assert value(fleet(third), "tc_fleet_runs") == 151
    assert value(fleet(third), "tc_fleet_broken_artifacts", artifact=METRICS) == 1
    assert third.index.counts.read == 2


@pytest.mark.parametrize(
    "damage", [b"", b"{", b'{"schema": "tc.metrics_index/v1", "version": "0.1.0"}', b"\xff", b"[]"]
)
def test_an_index_that_cannot_be_read_is_made_anew(damage: bytes, sealed: RunDirectory, roots: Roots) -> None:
    """It costs the time of reading all runs, and is told; the page is the same."""
    for number in range(120):
        copy_run(sealed, roots, f"run-{number}")
    first = exporter_of(roots)
    path = roots.runtime / INDEX
    assert path.exists()
    path.write_bytes(damage)
    log: list[str] = []
    second = exporter_of(roots, log)
    assert fleet(second) == fleet(first)
    assert second.index.counts.read == 120
    assert len(log) == 1
    assert str(path) in log[0]


def test_a_disk_that_takes_nothing_stops_no_scrape(sealed: RunDirectory, roots: Roots, tmp_path: Path) -> None:
    """An index that cannot be written is counted and told."""
    for number in range(120):
        copy_run(sealed, roots, f"run-{number}")
    roots.runtime.write_text("a file where the folder should be")
    log: list[str] = []
    exporter = exporter_of(roots, log)
    assert value(fleet(exporter), "tc_fleet_runs") == 120
    assert exporter.write_failures["index"] == 1
    assert log


def test_a_value_that_is_no_number_never_reaches_a_page() -> None:
    """A sheet refuses what is not finite, and a counter below zero."""
    for bad in (float("nan"), float("inf"), -1.0):
        with pytest.raises(ValueError, match="tc_fills_total"):
            Sheet("run").put([("tc_fills_total", (), bad)])


def test_progress_is_told_while_runs_are_read(sealed: RunDirectory, roots: Roots) -> None:
    """Whoever starts it on thousands of runs sees how far it is."""
    for number in range(600):
        copy_run(sealed, roots, f"run-{number}")
    told: list[tuple[int, int]] = []
    Exporter(roots, log=print, clock=SYSTEM_CLOCK).begin(lambda done, total: told.append((done, total)))
    assert told == [(250, 600), (500, 600), (600, 600)]
