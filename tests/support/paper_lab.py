"""A paper run as users start it: `tc run` in a process of its own, with a venue of its own or somebody else's."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

from support.market import GENERATED, made_up_bars
from support.venue_process import until
from tc.data.dataset_store import DatasetStore
from tc.durable import lock_holder, read_entries
from tc.evidence.fold import Fold, fold_journal
from tc.runs.paper import VENUE
from tc.runs.paper_venue import venue_directory
from tc.runs.reconcile import reconcile_run
from tc.runs.verify import Verification, verify_run
from tc.store.roots import Roots
from tc.store.run_directory import JOURNAL, RunDirectory, trace_of

DEMO = Path(__file__).parents[2] / "runspecs" / "paper-demo.yaml"
STRATEGIES = Path(__file__).parent / "strategies"
DEADLINE_S = 120
CANARY = "canary-of-the-key"
FUNDING = "  funding_rate: 0.0001         # every eight hours of the data's time\n"
ZERO = Decimal(0)
_started: list[subprocess.Popen[str]] = []


class Paper:
    """One paper run in a process of its own."""

    def __init__(self, folder: Path, duration: str, run_id: str = "paper") -> None:
        self.roots = Roots(folder / "artifacts", folder / "runtime")
        self.run = RunDirectory(self.roots, run_id)
        folder.mkdir(exist_ok=True)
        table = made_up_bars(2_000)
        store = DatasetStore(self.roots.runtime)
        store.save("demo-btc-1m", table, price_precision=1, volume="base", synthetic=True, source=GENERATED)
        keys = "  leverage: 10\n  credentials: {api_key_env: PAPER_KEY, api_secret_env: PAPER_SECRET}"
        text = DEMO.read_text().replace("duration: 60s", f"duration: {duration}").replace("  leverage: 10", keys)
        self.spec = folder / "spec.yaml"
        self.spec.write_text(text.replace("speed: 600", "speed: 300"))
        self.environment = os.environ | {
            "TC_ARTIFACTS_ROOT": str(self.roots.artifacts),
            "TC_RUNTIME_ROOT": str(self.roots.runtime),
            "XDG_STATE_HOME": str(folder / "state"),
            "PAPER_KEY": CANARY,
            "PAPER_SECRET": f"{CANARY}-secret",
        }

    def start(self) -> subprocess.Popen[str]:
        """Start it."""
        command = [sys.executable, "-P", "-m", "tc", "run", str(self.spec), "--run-id", self.run.run_id, "--json"]
        process = subprocess.Popen(
            command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        _started.append(process)
        return process

    def kill_all(self, process: subprocess.Popen[str]) -> None:
        """Kill supervisor and node; its venue lives on. Return when the run is held no more."""
        process.kill()
        os.kill(self.run.metadata()["pid"], signal.SIGKILL)
        process.wait()
        for pipe in (process.stdout, process.stderr):  # the venue holds the other ends
            assert pipe is not None
            pipe.close()
        until(lambda: lock_holder(self.run.lock_path) is None, "the node lives")

    def use(self, endpoint: str, keys: str = "api_key_env: PAPER_KEY, api_secret_env: PAPER_SECRET") -> None:
        """Trade at a venue of somebody else's."""
        text = (
            self.spec.read_text()
            .replace("seed: 7", "seed: 7\naccount: alpha")
            .replace("  speed: 300\n", "")
            .replace(FUNDING, "")
        )
        text = text.replace("price_increment: 0.1\n", "price_increment: 0.10\n")
        text = text.replace("{api_key_env: PAPER_KEY, api_secret_env: PAPER_SECRET}", f"{{{keys}}}")
        self.spec.write_text(text.replace("  leverage: 10", f"  leverage: 10\n  endpoint: {endpoint}"))

    def trade(self, source: str, config: str, speed: int) -> None:
        """Trade another strategy, at another speed."""
        text = self.spec.read_text().replace("tc.engine.strategies.ping_pong:PingPong", f"{STRATEGIES}/{source}")
        text = text.replace('trade_size: "0.010"', f'trade_size: "0.010"\n      {config}')
        self.spec.write_text(text.replace("speed: 300", f"speed: {speed}"))

    def trade_on(self, coins: Sequence[str], source: str | None = None, **config: str) -> None:
        """Trade each coin by a strategy and on a dataset of its own; by default with the spec's source and config."""
        spec: dict[str, Any] = yaml.safe_load(self.spec.read_text())
        instrument, feed, strategy = spec["instruments"][0], spec["data"], spec["strategies"][0]
        spec["instruments"], spec["data"], spec["strategies"] = [], [], []
        for number, coin in enumerate(coins):
            name, bar_type = f"{coin}USDT-PERP.BINANCE", f"{coin}USDT-PERP.BINANCE-1-MINUTE-LAST-EXTERNAL"
            DatasetStore(self.roots.runtime).save(
                f"bars-{coin.lower()}", made_up_bars(2_000, seed=number), price_precision=1, volume="base",
                synthetic=True, source=GENERATED,
            )  # fmt: skip
            spec["instruments"].append(instrument | {"id": name, "base_currency": coin})
            spec["data"].append(feed | {"dataset": f"bars-{coin.lower()}", "bar_type": bar_type})
            words = (config or strategy["config"]) | {"instrument_id": name, "bar_type": bar_type}
            one = {"id": f"on-{coin.lower()}", "source": source or strategy["source"], "config": words}
            spec["strategies"].append(strategy | one)
        self.spec.write_text(yaml.safe_dump(spec))

    def verified(self) -> Verification:
        """Verify it in full."""
        return verify_run(self.roots, self.run.run_id)

    def refused(self) -> tuple[int, str]:
        """Run it to its refusal; return exit code and words."""
        process = self.start()
        _, words = process.communicate(timeout=DEADLINE_S)
        return process.returncode, words

    def until_entries(self, count: int) -> None:
        """Wait until the journal has so many entries."""
        path = self.run.file(JOURNAL)
        until(
            lambda: path.exists() and path.read_bytes().count(b"\n") >= count, "the run did not get so far", DEADLINE_S
        )

    def until_counted(self, kind: str, count: int) -> None:
        """Wait until there are so many entries of a type; a busy machine starts three processes slowly."""
        deadline = time.monotonic() + DEADLINE_S
        while self.counts_if_any().get(kind, 0) < count:
            assert time.monotonic() < deadline, f"{self.counts_if_any().get(kind, 0)} of {count} {kind}"
            time.sleep(0.1)

    def counts(self) -> dict[str, int]:
        """Return how many entries there are of each type."""
        found: dict[str, int] = {}
        for entry in read_entries(self.run.file(JOURNAL)):
            found[entry.type] = found.get(entry.type, 0) + 1
        return found

    def counts_if_any(self) -> dict[str, int]:
        """Return the counts, none where there is no journal yet."""
        return self.counts() if self.run.file(JOURNAL).exists() else {}

    def texts(self) -> list[tuple[Path, bytes]]:
        """Return everything that it left behind: artifacts, runtime state, and what holds across clones."""
        folders = (self.roots.artifacts, self.roots.runtime, Path(self.environment["XDG_STATE_HOME"]))
        return [(path, path.read_bytes()) for folder in folders for path in folder.rglob("*") if path.is_file()]

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """Ask the control port of the run's own venue; return the answer."""
        trace = trace_of(self.run, VENUE)
        token = (venue_directory(self.roots, self.run.run_id) / "state" / "control.token").read_text().strip()
        connection = http.client.HTTPConnection("127.0.0.1", trace["control_port"], timeout=20)
        try:
            data = None if body is None else json.dumps(body)
            connection.request(method, path, body=data, headers={"Authorization": f"Bearer {token}"})
            response = connection.getresponse()
            answer = json.loads(response.read())
            assert response.status == 200, answer
            return answer
        finally:
            connection.close()

    def feed(self, *, is_paused: bool) -> None:
        """Hold the market still, or let it go on."""
        self.control("POST", "/action", {"kind": "feed", "paused": is_paused})

    def truth(self) -> Any:
        """Return what the run's own venue holds."""
        return self.control("GET", "/truth?account=main")

    def fold(self) -> Fold:
        """Return what the journal says."""
        return fold_journal(read_entries(self.run.file(JOURNAL)))

    def agrees(self, fold: Fold | None = None) -> str:
        """Return in words in what the journal, or `fold`, and the ground truth differ; nothing where they do not."""
        truth, fold = self.truth(), fold or self.fold()
        found: list[str] = []
        theirs: dict[str, Decimal] = {}
        names: list[str] = []
        for order in truth["orders"]:
            names.append(order["client_order_id"])
            if Decimal(order["executed"]):
                theirs[order["client_order_id"]] = Decimal(order["executed"])
        mine: dict[str, Decimal] = {}
        for fill in fold.fills:
            mine[fill.client_order_id] = mine.get(fill.client_order_id, ZERO) + abs(fill.quantity)
        found += [
            f"{name}: venue filled {theirs.get(name)}, journal {mine.get(name)}"
            for name in sorted(theirs.keys() | mine.keys())
            if theirs.get(name) != mine.get(name)
        ]
        found += [f"{name} is at the venue {names.count(name)} times" for name in set(names) if names.count(name) > 1]
        found += [f"{name} is at the venue and not in the journal" for name in sorted(set(names) - set(fold.orders))]
        for instrument_id in fold.instruments:
            row = truth["positions"].get(instrument_id.partition("-")[0])
            there = Decimal(row["quantity"]) if row else ZERO
            here = sum((p.quantity for p in fold.positions_open if p.contract.instrument_id == instrument_id), ZERO)
            if there != here:
                found.append(f"position {instrument_id}: venue {there}, journal {here}")
        money = fold.starting_balances["USDT"] + fold.netted.changes.get("USDT", ZERO)
        money += sum((Decimal(each["amount"]) for each in fold.incomes), ZERO)
        if money != Decimal(truth["wallet"]):
            found.append(f"wallet: venue {truth['wallet']}, journal {money}")
        return "; ".join(found)

    def settled(self, deadline_s: float = 20.0) -> Settled:
        """Hold the market still until the three books agree, or somebody was stood down; then let it go on."""
        self.feed(is_paused=True)
        began = time.monotonic()
        try:
            while True:
                is_matched = reconcile_run(self.roots, self.run.run_id).is_matched
                differs = self.agrees()
                stood_down = tuple(
                    str(e.payload()) for e in read_entries(self.run.file(JOURNAL)) if e.type == "StoodDown"
                )
                if (is_matched and not differs) or time.monotonic() - began > deadline_s:
                    return Settled(is_matched, differs, stood_down, time.monotonic() - began)
                time.sleep(2.0)  # a look costs a fiftieth of the requests of a minute
        finally:
            self.feed(is_paused=False)


def start_s(paper: Paper) -> float:
    """Return how long this machine takes now to start a command: what a command does is timed from then on."""
    began = time.monotonic()
    command = [sys.executable, "-P", "-m", "tc", "kill", "status", paper.run.run_id]
    subprocess.run(command, env=paper.environment, capture_output=True, check=False)
    return time.monotonic() - began


@dataclass(frozen=True)
class Settled:
    """What a run that was held still came to: the node's own verdict, and what the ground truth says against it."""

    is_matched: bool
    differs: str
    stood_down: tuple[str, ...]
    seconds: float

    @property
    def is_converged(self) -> bool:
        """Whether node and ground truth agree."""
        return self.is_matched and not self.differs


def end_what_is_left() -> None:
    """End the runs that a test which failed in its middle left, so that no other test is weighed down or blamed."""
    while _started:
        process = _started.pop()
        if process.stdout is None or process.stdout.closed:  # somebody heard it to its end
            continue
        process.terminate()
        try:
            process.communicate(timeout=DEADLINE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def ended(process: subprocess.Popen[str], within_s: float = DEADLINE_S) -> tuple[int, Any, str]:
    """Wait until it ends; return exit code, facts and words."""
    out, words = process.communicate(timeout=within_s)
    assert out, words
    return process.returncode, json.loads(out), words
