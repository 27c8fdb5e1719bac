"""Paper: how long a start takes; a market order from the strategy to its fill, with our evidence and without; bars.

The same strategy, venue, dataset and speed, in turns: `tc run` without its journal, and with it; a sync of the disk is
timed beside them while they trade. Once: a plain node on the unmodified adapter.
"""

from __future__ import annotations

import base64
import json
import os
import statistics
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import yaml

from fixture import RUNTIME, SCRATCH, tc
from measure import PYTHON, ROOT, report, run
from tc.model.reading import read_run_spec
from tc.runs.paper_venue import OwnVenue
from tc.store.roots import Roots

DEMO = ROOT / "runspecs" / "paper-demo.yaml"
WITHOUT = ROOT / "benchmarks" / "without_journal"
STRATEGY = ROOT / "benchmarks" / "strategies" / "one_at_a_time.py"
SECONDS = 20
LATENCY_SECONDS = 5
ROUNDS = 20
STARTS = 9
START_S = 3
SPEED = 600
BARS_A_SECOND, SYMBOLS, FASTEST = 800, 48, 1_000
SYNC_BYTES = 2_048


def measure() -> None:
    """Print all three."""
    _start()
    _latency()
    _bars()


def _start() -> None:
    """Time `tc run` until node and venue are up, each time beside a process that loads the engine's node and ends."""
    dataset("demo-btc-1m", 7)
    bare = [PYTHON, "-c", "import nautilus_trader.live.node"]
    pairs: list[tuple[float, float]] = []
    for number in range(STARTS):
        loaded = run(bare)
        assert loaded is not None
        pairs.append((_up_s(number), loaded.wall_s))
    ours, base = statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs)
    slowest, ratio = max(a for a, _ in pairs), statistics.median(a / b for a, b in pairs)
    text = f"{ours:.2f} s, slowest {slowest:.2f}, loading the engine alone {base:.2f} s, ratio {ratio:.2f}"
    report("paper: node and venue up", text, f"slowest < {START_S} s", holds=slowest < START_S)


def _up_s(number: int) -> float:
    name = f"start-{time.time_ns()}-{number}"
    roots = _roots(name)
    command = tc("run", str(DEMO), "--artifacts-root", str(roots.artifacts), "--runtime-root", str(RUNTIME))
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = ""
        while " is running" not in said:
            said = process.stderr.readline()
            if not said:
                raise SystemExit(f"{DEMO} did not start")
        took_s = time.perf_counter() - started
        process.terminate()
        process.stderr.read()
    return took_s


def _latency() -> None:
    """Compare each session with the one without a journal right before it: the machine is never the same for long.

    Two sessions of the same kind differ by more than what is looked for, so many short ones are taken.
    """
    found: list[float] = []
    base: list[float] = []
    extra: list[float] = []
    orders = 0
    dataset("demo-btc-1m", 7)
    syncs = Syncs(SCRATCH / "sync")
    with syncs:
        for number in range(ROUNDS):
            without, ours = _paper(number, is_baseline=True), _paper(number)
            base.append(statistics.median(without))
            found.append(statistics.median(ours))
            extra.append(found[-1] - base[-1])
            orders += len(ours)
    sync, more = statistics.median(syncs.took_ms), statistics.median(extra)
    p50 = statistics.median(found)
    text = (
        f"{p50:.2f} ms, without journal {statistics.median(base):.2f}, more by {more:.2f} "
        f"({min(extra):.2f} to {max(extra):.2f}), {orders} orders"
    )
    report("paper: submit to fill, p50", text, f"more by <= {1.5 * sync:.2f} ms, 1.5 syncs", holds=more <= 1.5 * sync)
    naked = statistics.median(_plain(0))
    report("paper: the same beside a plain node", f"{p50:.2f} ms, plain node {naked:.2f} ms", "-", holds=True)


class Syncs:
    """Appends a little ten times a second, on the disk where runs are, and times the sync of it alone."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab", buffering=0)
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.took_ms: list[float] = []

    def __enter__(self) -> Syncs:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()
        self._file.close()

    def _run(self) -> None:
        while not self._is_over.wait(0.1):
            self._file.write(b"x" * SYNC_BYTES)
            started = time.perf_counter()
            os.fdatasync(self._file.fileno())
            self.took_ms.append((time.perf_counter() - started) * 1e3)


def _spec(name: str, seconds: int, **changes: Any) -> dict[str, Any]:
    spec: dict[str, Any] = yaml.safe_load(DEMO.read_text())
    strategy = spec["strategies"][0]
    strategy["source"] = f"{STRATEGY}:OneAtATime"
    spec["name"] = name
    spec["duration"] = f"{seconds}s"
    spec["venue"]["starting_balances"] = ["1000000 USDT"]
    spec["data"]["speed"] = SPEED
    for limit in ("duplicate_order", "repeated_execution"):
        spec["risk"][limit] = "100000/min"
    return spec | changes


def dataset(name: str, seed: int) -> None:
    if not (RUNTIME / "datasets" / name).is_dir():
        subprocess.run(
            tc("data", "generate", "--name", name, "--seed", str(seed), "--bars", "43200", "--step", "1m", "--start",
               "2024-01-01", "--price", "42000", "--price-precision", "1", "--runtime-root", str(RUNTIME)),
            check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip


def _roots(name: str) -> Roots:
    return Roots(SCRATCH / "paper" / name, RUNTIME)


def _plain(number: int) -> list[float]:
    name = f"plain-{time.time_ns()}-{number}"
    venue = OwnVenue(
        read_run_spec(yaml.safe_dump(_spec("bench-plain", LATENCY_SECONDS)).encode(), "bench"), _roots(name), name
    )
    venue.prepare(None)
    venue.start()
    try:
        keys = venue.keys()
        done = subprocess.run(
            [PYTHON, str(ROOT / "benchmarks/plain_node.py"), str(venue.port), str(LATENCY_SECONDS)],
            capture_output=True, text=True, check=True,
            env=os.environ | {"NODE_KEY": keys.api_key, "NODE_SECRET": keys.api_secret},
        )  # fmt: skip
    finally:
        venue.stop()
    line = next(line for line in done.stdout.splitlines() if line.startswith("measured "))
    return [float(one) for one in json.loads(line.removeprefix("measured "))]


def _run(spec: dict[str, Any], name: str, *, is_baseline: bool = False) -> tuple[dict[str, Any], Path]:
    path = SCRATCH / "paper" / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(spec))
    roots = _roots(name)
    command = tc("run", str(path), "--json", "--artifacts-root", str(roots.artifacts), "--runtime-root", str(RUNTIME))
    environment = os.environ | ({"PYTHONPATH": str(WITHOUT)} if is_baseline else {})
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if not done.stdout:
        raise SystemExit(done.stderr)
    facts = json.loads(done.stdout)
    assert facts["reconciliation"] == "matched" or is_baseline, facts
    return facts, Path(facts["directory"])


def _kept(directory: Path, strategy: str, name: str) -> str:
    document = json.loads((directory / "state" / "strategies.json").read_bytes())
    return base64.b64decode(document["strategies"][strategy][name]).decode()


def _paper(number: int, *, is_baseline: bool = False) -> list[float]:
    _, directory = _run(
        _spec("bench-paper", LATENCY_SECONDS), f"paper-{time.time_ns()}-{number}", is_baseline=is_baseline
    )
    return [float(one) for one in json.loads(_kept(directory, "ping-pong", "latency_ms"))]


def _bars() -> None:
    """Play many symbols at once, each at the fastest speed, and count what reached the strategies."""
    spec = _spec("bench-bars", SECONDS)
    instrument, feed, strategy = spec["instruments"][0], spec["data"], spec["strategies"][0]
    spec["instruments"], spec["data"], spec["strategies"] = [], [], []
    for number in range(SYMBOLS):
        coin = f"C{number:02d}"
        dataset(f"bench-{coin.lower()}", number)
        name, bar_type = f"{coin}USDT-PERP.BINANCE", f"{coin}USDT-PERP.BINANCE-1-MINUTE-LAST-EXTERNAL"
        spec["instruments"].append(instrument | {"id": name, "base_currency": coin})
        spec["data"].append(feed | {"dataset": f"bench-{coin.lower()}", "bar_type": bar_type, "speed": FASTEST})
        config = {"bar_type": bar_type}
        source = f"{STRATEGY.with_name('counting.py')}:Counting"
        spec["strategies"].append(strategy | {"id": f"on-{coin.lower()}", "source": source, "config": config})
    facts, directory = _run(spec, f"bars-{time.time_ns()}")
    metadata = json.loads((directory / "metadata.json").read_bytes())
    rate = metadata["bars"] / SECONDS
    late = max(float(_kept(directory, one["id"], "late_s")) for one in spec["strategies"])
    text = f"{rate:.0f} bars/s over {SECONDS} s, the last {late:.2f} s late, {facts['status']}"
    report(
        "paper: bars that the node keeps up with",
        text,
        f">= 95 % of {BARS_A_SECOND}/s",
        holds=rate >= 0.95 * BARS_A_SECOND,
    )
