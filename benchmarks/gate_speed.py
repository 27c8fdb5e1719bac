"""What limits cost: the year with orders under every limit set wide, beside the same run with `unlimited`."""

from __future__ import annotations

import json
import os

from fixture import ARTIFACTS, YEAR_BARS, ema_spec, run_command, wide_spec
from measure import pair, report

BARS = int(os.environ.get("TC_BENCH_GATE_BARS", YEAR_BARS))
FAST, SLOW = 10, 20
ROUNDS = int(os.environ.get("TC_BENCH_GATE_ROUNDS", "5"))


def measure() -> None:
    """Print the ratio, and whether ledger and engine agreed after every fill."""
    free, wide = ema_spec(BARS, FAST, SLOW), wide_spec(BARS, FAST, SLOW)
    ours, baseline, ratio = pair(lambda _n: run_command(wide), lambda _n: run_command(free), ROUNDS)
    report(
        f"{BARS:,} bars, every limit wide beside unlimited",
        f"{ours:.1f} s CPU, unlimited {baseline:.1f} s, ratio {ratio:.3f}",
        "<= 1.05",
        holds=ratio <= 1.05,
    )
    newest = max((ARTIFACTS / "runs").glob("*-wide-*"), key=lambda path: path.stat().st_mtime)
    metrics = json.loads((newest / "metrics.json").read_bytes())
    checks = json.loads((newest / "reconciliation_result.json").read_bytes())["checks"]
    compared, broken = (
        _found(checks, name) for name in ("fills compared with the ledger", "ledger rows that differed")
    )
    report(
        "ledger rows held against positions",
        f"{metrics['orders']['total']:,} orders, {compared} fills compared, {broken} differed",
        "0",
        holds=broken == "0" and int(compared) == metrics["fills"],
    )


def _found(checks: list[dict[str, str]], name: str) -> str:
    return next(check["found"] for check in checks if check["name"] == name)
