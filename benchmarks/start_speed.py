"""How long the commands take that operators type all day, against a bare import of typer, pydantic and yaml."""

from __future__ import annotations

import json
import statistics
from pathlib import Path

from fixture import SCRATCH, tc
from measure import PYTHON, report, run
from tc.durable import Journal, host
from tc.store.run_directory import METADATA_SCHEMA

RUNS = 1000
ROUNDS = 9
ROOTS = ("--artifacts-root", str(SCRATCH / "thousand"))
MIB_MAX = 60


def measure() -> None:
    """Print the three ratios and the memory of each."""
    _thousand_runs(SCRATCH / "thousand/runs")
    commands = {
        "tc --help": tc("--help"),
        "tc runs list (1,000 runs)": tc("runs", "list", *ROOTS),
        "tc journal tail": tc("journal", "tail", "run-0000", *ROOTS),
    }
    bare = [PYTHON, "-c", "import typer, pydantic, yaml"]
    for name, command in commands.items():
        pairs = [(run(command), run(bare)) for _ in range(ROUNDS)]
        ours = statistics.median(a.wall_s for a, _ in pairs if a)
        base = statistics.median(b.wall_s for _, b in pairs if b)
        ratio = statistics.median(a.wall_s / b.wall_s for a, b in pairs if a and b)
        peak = max(a.peak_mib for a, _ in pairs if a)
        found = f"{ours * 1000:.0f} ms, bare import {base * 1000:.0f} ms, ratio {ratio:.2f}, {peak:.0f} MiB"
        report(name, found, f"<= 2.0, < {MIB_MAX} MiB", holds=ratio <= 2 and peak < MIB_MAX)


def _thousand_runs(folder: Path) -> None:
    for number in range(RUNS):
        path = folder / f"run-{number:04d}"
        if path.is_dir():
            continue
        path.mkdir(parents=True)
        metadata = {
            "schema": METADATA_SCHEMA, "run_id": path.name, "name": "bench", "mode": "backtest", "status": "completed",
            "reason": "all 525,600 bars were delivered", "started": "2026-01-01T00:00:00.000000000Z", "bars": 525_600,
            "host": host(), "labels": {}, "wheels": {f"wheel-{i}": f"1.0 sha256:{'0' * 32}" for i in range(20)},
        }  # fmt: skip
        (path / "metadata.json").write_text(json.dumps(metadata, indent=2))
        (path / "manifest.json").write_text("{}\n")
        if number == 0:
            with Journal.create(path / "journal.jsonl") as journal:
                for seq in range(20_000):
                    journal.add("OrderFilled", seq, b'{"client_order_id":"O-%d","text":"%s"}' % (seq, b"x" * 300))
