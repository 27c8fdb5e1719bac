"""A run that is broken, in whatever way, hides no other: it is counted, and the log names it."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from support.observe_lab import copy_run, exporter_of, promtool, series_of, serving, value
from tc.clock import SYSTEM_CLOCK
from tc.observe.exporter import Exporter
from tc.store.roots import Roots
from tc.store.run_directory import METADATA, METRICS, RECONCILIATION, RunDirectory

DEEP = b"[" * 400_000


def changed(name: str, **changes: object) -> Callable[[RunDirectory], None]:
    """Return what writes other values into a document."""

    def change(run: RunDirectory) -> None:
        document = json.loads(run.file(name).read_bytes()) | changes
        run.file(name).write_text(json.dumps(document))

    return change


def written(name: str, data: bytes) -> Callable[[RunDirectory], None]:
    """Return what replaces a document by bytes."""
    return lambda run: run.file(name).write_bytes(data) and None  # type: ignore[func-returns-value]


def cut(name: str) -> Callable[[RunDirectory], None]:
    """Return what leaves the first half of a document."""
    return lambda run: os.truncate(run.file(name), run.file(name).stat().st_size // 2)


def piped(run: RunDirectory) -> None:
    """Put a pipe that nobody writes to where the numbers should lie."""
    run.file(METRICS).unlink()
    os.mkfifo(run.file(METRICS))


def folded(run: RunDirectory) -> None:
    """Put a folder there."""
    run.file(METRICS).unlink()
    run.file(METRICS).mkdir()


def huge(run: RunDirectory) -> None:
    """Let the numbers be a file of a gigabyte, which takes no room."""
    os.truncate(run.file(METRICS), 1 << 30)


def drilled(data: bytes) -> Callable[[RunDirectory], None]:
    """Return what leaves a drill's evidence that is none."""

    def leave(run: RunDirectory) -> None:
        run.file("drills").mkdir()
        run.file("drills/x-1.json").write_bytes(data)

    return leave


WAYS: dict[str, tuple[str, Callable[[RunDirectory], None]]] = {
    "one bad byte": (METADATA, written(METADATA, b'{"name": "\xff"}')),
    "no object": (METADATA, written(METADATA, b"[1, 2]")),
    "nothing in it": (METADATA, written(METADATA, b"")),
    "another run's": (METADATA, changed(METADATA, run_id="other")),
    "an unknown status": (METADATA, changed(METADATA, status="splendid")),
    "half written": (METRICS, cut(METRICS)),
    "too deep": (METRICS, written(METRICS, DEEP)),
    "null for numbers": (METRICS, changed(METRICS, statistics=None)),
    "words for numbers": (METRICS, changed(METRICS, bars="many")),
    "not finite": (METRICS, changed(METRICS, journal_entries=float("inf"))),
    "no number": (METRICS, changed(METRICS, bars_total=float("nan"))),
    "another run's numbers": (METRICS, changed(METRICS, run_id="other")),
    "a foreign document": (METRICS, written(METRICS, b'{"hello": "world"}')),
    "a pipe": (METRICS, piped),
    "a folder": (METRICS, folded),
    "a giant": (METRICS, huge),
    "gone": (METRICS, lambda run: run.file(METRICS).unlink()),
    "no reconciliation": (RECONCILIATION, lambda run: run.file(RECONCILIATION).unlink()),
    "a drill of nothing": ("drills", drilled(b"{}")),
    "a drill cut short": ("drills", drilled(b'{"drill": "kill", "verdict": "pa')),
}


@pytest.mark.parametrize("way", WAYS)
def test_one_broken_run_hides_no_other(way: str, sealed: RunDirectory, roots: Roots) -> None:
    """Both other runs are served whole; the broken one is listed, counted by artifact, and named in the log once."""
    artifact, damage = WAYS[way]
    for name in ("good-1", "broken", "good-2"):
        copy_run(sealed, roots, name)
    damage(RunDirectory(roots, "broken"))
    log: list[str] = []
    exporter = exporter_of(roots, log)
    page = exporter.fleet().body("text")
    exporter.fleet()
    assert value(page, "tc_fleet_broken_artifacts", artifact=artifact) == 1
    assert value(page, "tc_fleet_broken_artifacts") == 1
    assert value(page, "tc_fleet_runs") == 3
    assert {"good-1", "good-2"} <= {dict(labels).get("run_id") for _, labels in series_of(page)}
    assert len(log) == 1
    assert log[0].startswith(f"run 'broken': {artifact} cannot be read")
    good, broken = (exporter.run(name).body("text") for name in ("good-1", "broken"))
    assert value(good, "tc_fills_total") > 0
    assert value(good, "tc_run_broken_artifacts") == 0
    assert value(broken, "tc_run_broken_artifacts", artifact=artifact) == 1
    assert promtool(page) == promtool(broken) == ""


def test_a_run_that_breaks_after_it_was_read_is_noticed(sealed: RunDirectory, roots: Roots) -> None:
    """And one that is mended is well again, without a restart."""
    run = copy_run(sealed, roots, "run")
    whole = run.file(METRICS).read_bytes()
    log: list[str] = []
    exporter = exporter_of(roots, log)
    assert value(exporter.fleet().body("text"), "tc_fleet_broken_artifacts") == 0
    run.file(METRICS).write_bytes(whole[:100])
    assert value(exporter.fleet().body("text"), "tc_fleet_broken_artifacts", artifact=METRICS) == 1
    assert value(exporter.run("run").body("text"), "tc_run_broken_artifacts", artifact=METRICS) == 1
    run.file(METRICS).write_bytes(whole)
    page = exporter.fleet().body("text")
    assert value(page, "tc_fleet_broken_artifacts") == 0
    assert value(page, "tc_fleet_fills") > 0
    assert len(log) == 1


def test_names_that_are_no_run_are_counted_and_never_opened(sealed: RunDirectory, roots: Roots) -> None:
    """A folder with a name that no run can have is foreign; hidden folders and plain files are none of ours."""
    copy_run(sealed, roots, "run")
    (roots.runs / "bad name\n").mkdir()
    (roots.runs / os.fsdecode(b"\xff")).mkdir()
    (roots.runs / ".temporary").mkdir()
    (roots.runs / "README.md").write_text("hello")
    log: list[str] = []
    page = exporter_of(roots, log).fleet().body("text")
    assert value(page, "tc_fleet_broken_artifacts", artifact=METADATA) == 2
    assert value(page, "tc_fleet_runs") == 1
    assert len(log) == 2
    assert all(line.isprintable() for line in log)


def test_words_in_artifacts_cannot_break_a_page(sealed: RunDirectory, roots: Roots) -> None:
    """Quotes, line breaks, lone surrogates and names without end are labels like others, cut where they are long."""
    for number, name in enumerate(('a"b\\c\nd', "\ud800", "x" * 100_000)):
        copy_run(sealed, roots, f"run-{number}", name=name)
    page = exporter_of(roots).fleet().body("text")
    assert {len(dict(labels)["name"]) for (name, labels) in series_of(page) if name == "tc_run_info"} == {7, 1, 200}
    assert promtool(page) == ""


def test_alerts_and_latches_that_cannot_be_read(sealed: RunDirectory, roots: Roots) -> None:
    """An unreadable latch counts as closed; an alert journal that is none is a broken artifact and nothing more."""
    copy_run(sealed, roots, "run")
    roots.alerts.mkdir(parents=True)
    (roots.alerts / "run.jsonl").write_bytes(b"\x00\x01\n")
    roots.kill_switch.mkdir(parents=True)
    (roots.kill_switch / "run.state.json").write_bytes(b"{")
    body = exporter_of(roots).run("run").body("text")
    assert value(body, "tc_run_broken_artifacts", artifact="alerts") == 1
    assert value(body, "tc_kill_latched", scope="run") == 1
    assert value(body, "tc_fills_total") > 0


def test_runs_that_come_and_go_under_our_feet(sealed: RunDirectory, roots: Roots) -> None:
    """While runs are made and removed without pause, every page is whole."""
    for number in range(20):
        copy_run(sealed, roots, f"stays-{number}")
    exporter = Exporter(roots, log=lambda _line: None, clock=SYSTEM_CLOCK)
    exporter.begin()
    is_over = threading.Event()

    def churn() -> None:
        number = 0
        while not is_over.is_set():
            number += 1
            run = copy_run(sealed, roots, f"goes-{number}")
            shutil.rmtree(run.path)

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        for _ in range(60):
            assert value(exporter.fleet().body("text"), "tc_fleet_runs") >= 20
    finally:
        is_over.set()
        thread.join()
    assert value(exporter.fleet().body("text"), "tc_fleet_runs", group="recent") == 20


def test_an_artifacts_root_that_is_not_there_is_an_empty_page(tmp_path: Path, roots: Roots) -> None:
    """Before the first run everything is 0, and nothing is created for it."""
    (tmp_path / "runtime").mkdir()
    with serving(roots) as server:
        assert value(server.page(), "tc_fleet_runs") == 0
        assert server.get("/metrics/run/none")[0] == 404
    assert not roots.artifacts.exists()


def test_what_nobody_thought_of_is_one_broken_run_too(
    sealed: RunDirectory, roots: Roots, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that fails under one run's files costs that run its numbers, and the others nothing."""
    for name in ("good", "broken"):
        copy_run(sealed, roots, name)
    is_sealed = RunDirectory.is_sealed.fget
    assert is_sealed is not None

    def failing(run: RunDirectory) -> bool:
        if run.run_id == "broken":
            raise OSError(5, "Input/output error")
        return bool(is_sealed(run))

    monkeypatch.setattr(RunDirectory, "is_sealed", property(failing))
    log: list[str] = []
    exporter = exporter_of(roots, log)
    page = exporter.fleet().body("text")
    assert value(page, "tc_fleet_runs") == 2
    assert value(page, "tc_fleet_broken_artifacts", artifact=METADATA) == 1
    assert value(exporter.run("good").body("text"), "tc_fills_total") > 0
    assert value(exporter.run("broken").body("text"), "tc_run_status", status="unknown") == 1
    assert len(log) == 1
