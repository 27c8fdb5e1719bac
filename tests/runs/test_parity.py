"""A backtest and a paper run of the same strategy on the same data: every order matches or has a proven cause."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from support.market import BTC_MINUTES, GENERATED, made_up_bars, shared_data_folder
from support.paper_lab import DEADLINE_S, Paper, ended
from support.venue_process import until
from tc.data.dataset_store import DatasetStore
from tc.durable import Journal, read_artifact, read_entries, unprotect_tree, write_artifact
from tc.evidence.manifest import build_anchor, build_manifest
from tc.store.roots import Roots
from tc.store.run_directory import JOURNAL, MANIFEST, METADATA, RunDirectory

pytestmark = [pytest.mark.whole_run, pytest.mark.xdist_group("parity")]  # its runs are made once
IS_FULL = os.environ.get("TC_FULL") == "1"
STRATEGY = """
strategies:
  - id: cross
    source: tc.engine.strategies.ema_cross:EMACross
    config:
      instrument_id: BTCUSDT-PERP.BINANCE
      bar_type: BTCUSDT-PERP.BINANCE-1-MINUTE-LAST-EXTERNAL
      trade_size: "0.010"
      fast_ema_period: 3
      slow_ema_period: 8
"""


class Pair(Paper):
    """A paper run that can be compared: a strategy that follows bars, on the lab's data."""

    def __init__(self, folder: Path, duration: str, latency_ms: int = 0, speed: int = 300) -> None:
        super().__init__(folder, duration)
        text = self.spec.read_text().replace("speed: 300", f"speed: {speed}")
        start, end = text.index("strategies:"), text.index("risk:")
        text = text[:start] + STRATEGY.lstrip() + text[end:]
        self.spec.write_text(text.replace("  leverage: 10", f"  leverage: 10\n  latency_ms: {{base: {latency_ms}}}"))

    def tc(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        command = [sys.executable, "-P", "-m", "tc", *arguments]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)

    def backtest(self) -> str:
        """Make the backtest of the paper run; return its run id."""
        done = self.tc("evidence", "replay", "--paper-run-id", self.run.run_id, "--json")
        assert done.returncode == 0, done.stderr
        return str(json.loads(done.stdout)["run_id"])

    def compared(self, backtest: str, exit_code: int = 0) -> Any:
        """Compare; return the document."""
        arguments = ["--backtest-run-id", backtest, "--paper-run-id", self.run.run_id, "--json"]
        done = self.tc("evidence", "compare", *arguments)
        assert done.returncode == exit_code, done.stdout[-3000:] + done.stderr
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def pair(tmp_path_factory) -> Pair:
    """Return a sealed paper run."""
    found = Pair(tmp_path_factory.mktemp("parity"), "12s")
    code, _, words = ended(found.start())
    assert code == 0, words
    return found


@pytest.fixture(scope="module")
def backtest(pair) -> str:
    """Return the backtest on what the paper run recorded."""
    return pair.backtest()


def test_every_order_matches_or_its_cause_is_named_and_proven(pair, backtest) -> None:
    """Nothing is unexplained, the last bar excepted all bars are compared, and the three files are there."""
    found = pair.compared(backtest)
    assert found["orders"] >= 5
    assert (found["unexplained"], found["findings"]) == (0, [])
    for one in found["differences"]:
        sides = [one["paper"], one["backtest"]]
        cash = [Decimal(0) if side is None else cash_of(side) for side in sides]
        assert sum(Decimal(step["cash"]) for step in one["steps"]) == cash[0] - cash[1], one
    assert [Path(path).suffix for path in found["files"]] == [".json", ".md", ".svg"]
    assert all(Path(path).stat().st_size for path in found["files"])


def cash_of(side: dict[str, str]) -> Decimal:
    """Return what an order brought in, as the document describes it."""
    sign = 1 if side["order_side"] == "BUY" else -1
    price = Decimal(side["average_price"] or 0)
    return -sign * price * Decimal(side["filled"]) - Decimal(side["fee"])


def test_a_recorded_session_becomes_a_dataset_with_the_bars_that_came(pair, backtest) -> None:
    """The replay's dataset is the beginning of the data that the venue played, bar by bar."""
    store = DatasetStore(pair.roots.runtime)
    played, kept = store.load("demo-btc-1m").table, store.load(f"replay-{pair.run.run_id}").table
    assert len(kept.close) > 40
    for name in ("ts_event", "open", "high", "low", "close"):
        assert list(getattr(kept, name)) == list(getattr(played, name)[: len(kept.close)])
    again = pair.tc("evidence", "replay", "--paper-run-id", pair.run.run_id)
    assert (again.returncode, "replay-" in again.stderr) == (4, True)


@pytest.mark.parametrize("side", ["backtest", "paper"])
def test_an_order_altered_by_hand_comes_out_unexplained(pair, backtest, tmp_path, side) -> None:
    """One fill's price changed, and chain, manifest and anchor made anew: that order is named."""
    shutil.copytree(pair.roots.artifacts, tmp_path / "artifacts")
    roots = Roots(tmp_path / "artifacts", pair.roots.runtime)
    run = RunDirectory(roots, backtest if side == "backtest" else pair.run.run_id)
    altered = forge(run)
    arguments = ["--backtest-run-id", backtest, "--paper-run-id", pair.run.run_id, "--json"]
    done = pair.tc("evidence", "compare", *arguments, "--artifacts-root", str(roots.artifacts))
    assert done.returncode == 1, done.stderr
    found = json.loads(done.stdout)
    unexplained = [one for one in found["differences"] if any(s["cause"] == "unexplained" for s in one["steps"])]
    assert [one[side]["client_order_id"] for one in unexplained] == [altered]


def forge(run: RunDirectory) -> str:
    """Change the price of a fill in the middle and make everything fit; return the order's id."""
    unprotect_tree(run.path)
    path = run.file(JOURNAL)
    entries = list(read_entries(path))
    fills = [place for place, entry in enumerate(entries) if entry.type == "OrderFilled"]
    chosen = fills[len(fills) // 2]
    path.unlink()
    path.with_suffix(".head").unlink(missing_ok=True)
    with Journal.create(path) as journal:
        for place, entry in enumerate(entries):
            data = entry.payload()
            if place == chosen:
                data["last_px"] = str(Decimal(data["last_px"]) + 5)
            journal.append(entry.type, entry.ts, data)
        head = journal.head
    metadata = json.loads(read_artifact(run.file(METADATA)))
    manifest = build_manifest(run, head, metadata["result_digest"])
    write_artifact(run.file(MANIFEST), manifest)
    write_artifact(run.anchor_path, build_anchor(run, manifest))
    return str(entries[chosen].payload()["client_order_id"])


def test_a_slow_venue_changes_the_differences_and_leaves_none_unexplained(tmp_path) -> None:
    """With 50 ms at the venue at 600 times the speed orders meet a market that has moved: latency, all of it named."""
    slow = Pair(tmp_path, "15s", latency_ms=50, speed=600)
    code, _, words = ended(slow.start())
    assert code == 0, words
    found = slow.compared(slow.backtest())
    assert found["unexplained"] == 0
    assert found["orders_by_cause"]["latency"] > 0


def test_an_order_that_a_fault_refused_is_named_a_fault(tmp_path) -> None:
    """A refusal that the venue's books do not ask for is no latency: the venue was told to give it."""
    run = Pair(tmp_path, "12s")
    process = run.start()
    until(lambda: run.counts_if_any().get("StrategyLoaded"), "it did not start")
    until(lambda: run.counts_if_any().get("OrderFilled", 0) >= 2, "it did not trade")
    run.control("POST", "/fault", {"kind": "reject", "count": 1, "code": -2019})
    code, _, words = ended(process)
    assert code == 0, words
    found = run.compared(run.backtest())
    assert (found["unexplained"], found["orders_by_cause"]["fault"] >= 1) == (0, True)


@pytest.mark.shared_data
@pytest.mark.timeout(900)
def test_a_day_of_real_minutes_is_explained(tmp_path) -> None:
    """Bars of a real market (a day of them in a full run): every order matches or its cause is named."""
    run = Pair(tmp_path, "150s" if IS_FULL else "15s", speed=600)
    data = ["data", "import", str(shared_data_folder() / BTC_MINUTES), "--name", "demo-btc-1m", "--replace"]
    done = run.tc(*data, "--stamp", "close", "--volume", "quote")
    assert done.returncode == 0, done.stderr
    text = run.spec.read_text().replace("price_increment: 0.1\n", "price_increment: 0.001\n")
    run.spec.write_text(text.replace("volume: base", "volume: quote"))
    code, _, words = ended(run.start(), 150 + DEADLINE_S)
    assert code == 0, words
    found = run.compared(run.backtest())
    assert (found["unexplained"], found["orders"] > 10) == (0, True)


def test_runs_that_are_not_of_the_same_thing_are_refused(pair, backtest) -> None:
    """Two backtests, other data, a run without its venue's record: one sentence, exit 2."""
    store = DatasetStore(pair.roots.runtime)
    store.save("other", made_up_bars(300), price_precision=1, volume="base", synthetic=True, source=GENERATED)
    spec = pair.roots.artifacts / "evidence" / "replay" / f"{pair.run.run_id}.yaml"
    other = pair.spec.parent / "other.yaml"
    other.write_text(spec.read_text().replace(f"replay-{pair.run.run_id}", "other"))
    assert pair.tc("run", str(other), "--run-id", "other").returncode == 0
    for arguments, words in (
        (["--backtest-run-id", backtest, "--paper-run-id", backtest], "expected a paper run"),
        (["--backtest-run-id", "other", "--paper-run-id", pair.run.run_id], "make one with"),
        (["--backtest-run-id", "nobody", "--paper-run-id", pair.run.run_id], "nobody"),
    ):
        done = pair.tc("evidence", "compare", *arguments)
        assert (done.returncode, words in done.stderr) == (2, True), done.stderr
