"""A run whose journal takes no more: its node sends nothing; its agent does what `on_fault` says at the venue."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.alert_lab import Observer, observer
from support.capabilities import needs
from support.mounts import mounted
from support.paper_lab import Paper
from support.venue_process import SYMBOL, VenueProcess, until

pytestmark = [pytest.mark.faults, pytest.mark.whole_run, pytest.mark.timeout(600), needs("tmpfs")]

SLOW_S = 120.0
DONE_S = 5.0


@dataclass
class Desk:
    """A run at a venue of its own account: a position, its stop and two entries; and a disk that can be filled."""

    paper: Paper
    venue: VenueProcess
    process: subprocess.Popen[str]
    pager: Observer
    disk: Path

    def fill(self) -> float:
        """Leave no byte on the disk of the journal; return when."""
        with suppress(OSError), (self.disk / "ballast").open("wb", buffering=0) as ballast:
            while True:
                ballast.write(bytes(4096))
        return time.monotonic()

    def at_venue(self) -> tuple[int, int, str]:
        """Return how many entries and stops work at the venue, and what is held."""
        truth = self.venue.truth()
        entries, stops = (sum(one["status"] == "NEW" for one in truth[name]) for name in ("orders", "algo_orders"))
        return entries, stops, truth["positions"].get(SYMBOL, {}).get("quantity", "0.000")

    def told(self) -> set[str]:
        """Return the kinds of alerts that arrived."""
        return {one.kind for one in self.pager.seen()}

    def ended(self) -> int:
        """Wait until the run is over; return its exit code."""
        _, words = self.process.communicate(timeout=SLOW_S)
        assert not self.paper.run.is_sealed, words
        return self.process.returncode


@contextmanager
def desk(folder: Path, on_fault: str) -> Iterator[Desk]:
    """Give one that trades, with this in its spec."""
    with (
        observer(folder) as pager,
        VenueProcess(folder / "venue", "--speed", "300", bars=5_000) as venue,
    ):
        paper = Paper(folder / "run", "10m")
        script = folder / "script"
        paper.trade("told.py:Told", f'script: "{script}"', 300)
        text = paper.spec.read_text().replace("on_fault: flatten", f"on_fault: {on_fault}")
        paper.spec.write_text(text.replace("  on_stop", "  alerts: [pager]\n  on_stop"))
        paper.environment |= {
            "TC_ALERT_PAGER": pager.target, "PAPER_KEY": "alpha-key-canary", "PAPER_SECRET": "alpha-secret-canary",
        }  # fmt: skip
        paper.use(f"http://127.0.0.1:{venue.port}")
        script.write_text("buy\nstop\nrest\nrest\n")
        with mounted(paper.roots.artifacts, "-t", "tmpfs", "-o", "size=4m", "none") as disk:
            process = paper.start()
            try:
                paper.until_counted("OrderAccepted", 4)
                yield Desk(paper, venue, process, pager, disk)
            finally:
                process.kill()
                process.communicate()


def test_its_entries_are_canceled_and_its_stops_are_left_where_the_spec_leaves_them(tmp_path: Path) -> None:
    """Within five seconds, though the node sends nothing; who is woken hears what is left, and a kill still works."""
    with desk(tmp_path, "leave") as run:
        assert run.at_venue() == (2, 1, "0.010")
        filled = run.fill()
        until(lambda: run.at_venue() == (0, 1, "0.010"), f"not canceled: {run.at_venue()}", SLOW_S)
        assert time.monotonic() - filled < DONE_S
        until(lambda: {"journal_poisoned", "position_left"} <= run.told(), "not told", SLOW_S)
        assert run.ended() == 5
        assert run.at_venue() == (0, 1, "0.010")
        command = [sys.executable, "-P", "-m", "tc", "kill", "activate", "paper", "--by", "Ada", "--reason", "drill"]
        done = subprocess.run(command, env=run.paper.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert run.at_venue() == (0, 0, "0.000")


def test_it_is_killed_by_its_agent_where_the_spec_flattens(tmp_path: Path) -> None:
    """Flat at the venue and latched by the agent; the run ends with 5 and stays open until its disk is mended."""
    with desk(tmp_path, "flatten") as run:
        filled = run.fill()
        until(lambda: run.at_venue() == (0, 0, "0.000"), f"not flat: {run.at_venue()}", SLOW_S)
        assert time.monotonic() - filled < DONE_S
        assert run.ended() == 5
        assert {"journal_poisoned", "kill_activated", "kill_confirmed"} <= run.told()
        latch = json.loads((run.paper.roots.kill_switch / "paper.state.json").read_text())
        assert (latch["by"], latch["reason"].split(":")[0]) == ("kill agent", "JOURNAL_FAULT")
        (run.disk / "ballast").unlink()
        command = [sys.executable, "-P", "-m", "tc", "runs", "recover", "paper"]
        done = subprocess.run(command, env=run.paper.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert run.paper.run.metadata()["status"] == "killed"
        assert run.paper.run.document("reconciliation_result.json")["verdict"] == "matched"
