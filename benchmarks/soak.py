"""`make soak`: half an hour of paper at a hundred times the speed of time: memory by thirds, log errors, the proof.

TC_SOAK_MINUTES changes how long. A run that is shorter proves less, and says how long it was.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from fixture import RUNTIME, SCRATCH, tc
from measure import failed, report
from paper_speed import DEMO, dataset

MINUTES = float(os.environ.get("TC_SOAK_MINUTES", "30"))
SPEED = 100
SAMPLE_S = 5.0
GROWTH_MAX = 0.05
_PAGE = os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    """Run it and print what was found."""
    dataset("demo-btc-1m", 7)
    spec: dict[str, Any] = yaml.safe_load(DEMO.read_text())
    spec["duration"] = f"{round(MINUTES * 60)}s"
    spec["data"]["speed"] = SPEED
    spec["venue"]["starting_balances"] = ["1000000 USDT"]
    name = f"soak-{time.time_ns()}"
    path = SCRATCH / "paper" / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(spec))
    roots = ["--artifacts-root", str(SCRATCH / "paper" / name), "--runtime-root", str(RUNTIME)]
    command = tc("run", str(path), "--run-id", name, "--json", *roots)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    samples = _watch(process)
    facts = json.loads(process.communicate()[0])
    _report(facts, samples, roots)


def _watch(process: subprocess.Popen[str]) -> dict[str, list[float]]:
    """Sample the memory of the run's node and venue, MB, until it ends."""
    samples: dict[str, list[float]] = {"node": [], "venue": []}
    while process.poll() is None:
        time.sleep(SAMPLE_S)
        for child in _children(process.pid):
            try:
                words = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
                pages = int(Path(f"/proc/{child}/statm").read_bytes().split()[1])
            except (OSError, IndexError):
                continue
            for kind in samples:  # the kill agent is a child, too
                if kind.encode() in words:
                    samples[kind].append(pages * _PAGE / 2**20)
    return samples


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _report(facts: dict[str, Any], samples: dict[str, list[float]], roots: list[str]) -> None:
    for kind, sizes in samples.items():
        third = len(sizes) // 3
        begin, last = sizes[2 * third], statistics.median(sizes[-3:])
        growth = last / begin - 1
        text = f"{sizes[0]:.0f}, {sizes[third]:.0f}, {begin:.0f}, {last:.0f} MB by thirds; the last grew {growth:+.1%}"
        report(f"soak {MINUTES:g} min: memory of the {kind}", text, f"<= {GROWTH_MAX:.0%}", holds=growth <= GROWTH_MAX)
    directory = Path(facts["directory"])
    lines = [json.loads(line) for line in (directory / "nautilus.jsonl").read_text().splitlines()]
    levels = Counter(line["level"] for line in lines)
    text = f"{levels['ERROR']} errors, {levels['WARN']} warnings"
    report("soak: the engine's log", text, "0 errors", holds=not levels["ERROR"])
    metrics = facts["metrics"]
    found = f"{facts['status']}, {facts['reconciliation']}"
    text = f"{found}, {metrics['orders']['total']:,} orders, {metrics['fills']:,} fills"
    report("soak: the run", text, "completed, matched", holds=found == "completed, matched")
    done = subprocess.run(tc("verify", facts["run_id"], *roots), capture_output=True, text=True, check=False)
    report("soak: its proof", done.stdout.strip().partition(": ")[2], "every decision", holds=done.returncode == 0)


main()
sys.exit(1 if failed else 0)
