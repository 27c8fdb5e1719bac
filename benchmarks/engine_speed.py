"""`tc run` as a whole process against a plain NautilusTrader script as a whole process."""

from __future__ import annotations

from fixture import YEAR_BARS, dataset, ema_spec, parquet, quiet_spec, run_command
from measure import PYTHON, ROOT, pair, report, run

PLAIN = str(ROOT / "benchmarks/plain_nautilus.py")
EMA_BARS, EMA_FAST, EMA_SLOW = 100_000, 14, 28
YEAR_FAST, YEAR_SLOW = 10, 20
PATIENCE = 5


def measure() -> None:
    """Print the three comparisons."""
    quiet = quiet_spec(YEAR_BARS)
    year = parquet(dataset(YEAR_BARS))
    ours, plain, ratio = pair(lambda _n: run_command(quiet), lambda _n: [PYTHON, PLAIN, year, str(YEAR_BARS), "quiet"])
    report(
        "a year of minutes, no orders",
        f"{ours:.1f} s CPU, plain {plain:.1f} s, ratio {ratio:.2f}",
        "<= 1.10",
        holds=ratio <= 1.10,
    )

    spec = ema_spec(EMA_BARS, EMA_FAST, EMA_SLOW)
    short = parquet(dataset(EMA_BARS))
    ours, plain, ratio = pair(
        lambda _n: run_command(spec),
        lambda _n: [PYTHON, PLAIN, short, str(EMA_BARS), "ema", str(EMA_FAST), str(EMA_SLOW)],
    )
    report(
        "100,000 bars, about 5,800 orders",
        f"{ours:.1f} s CPU, plain {plain:.1f} s, ratio {ratio:.2f}",
        "<= 0.60",
        holds=ratio <= 0.60,
    )

    mine = run(run_command(ema_spec(YEAR_BARS, YEAR_FAST, YEAR_SLOW)))
    assert mine is not None
    limit_s = PATIENCE * mine.wall_s
    theirs = run([PYTHON, PLAIN, year, str(YEAR_BARS), "ema", str(YEAR_FAST), str(YEAR_SLOW)], timeout_s=limit_s)
    found = f"still running after {limit_s:.0f} s" if theirs is None else f"done in {theirs.wall_s:.0f} s"
    report(
        "a year, at least 30,000 orders",
        f"{mine.wall_s:.0f} s, {mine.peak_mib:.0f} MiB; plain {found}",
        "5x",
        holds=theirs is None,
    )
