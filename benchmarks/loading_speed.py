"""From a stored dataset to the engine's bars, against pyarrow and the engine's own conversion alone."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from nautilus_trader.model.data import Bar, BarType

from fixture import RUNTIME, YEAR_BARS, dataset, parquet, quiet_spec
from measure import report
from tc.engine.bars import build_bars
from tc.runs.inputs import load_feed, read_spec_file
from tc.store.roots import Roots

ROUNDS = 5


def measure() -> None:
    """Print the ratio of a year's loading."""
    path = parquet(dataset(YEAR_BARS))
    _, spec = read_spec_file(quiet_spec(YEAR_BARS))
    roots = Roots.of(Path("unused"), RUNTIME)
    bar_type = spec.data[0].bar_type

    def ours() -> int:
        feed = load_feed(spec.data[0], spec, roots)
        return len(build_bars(feed.table, feed.volume, bar_type, spec.instruments[0]))

    def baseline() -> int:
        table = pq.read_table(path)
        prices = [np.array(table[name].to_numpy(), copy=True) for name in ("open", "high", "low", "close", "volume")]
        stamps = np.array(table["ts_event"].to_numpy(), dtype=np.uint64, copy=True)
        return len(Bar.from_raw_arrays_to_list(BarType.from_str(bar_type), 1, 3, *prices, stamps, stamps))

    pairs = [(_cpu_s(ours), _cpu_s(baseline)) for _ in range(ROUNDS)]
    mine, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(a / b for a, b in pairs)
    report(
        "loading a year of bars",
        f"{mine * 1000:.0f} ms CPU, baseline {theirs * 1000:.0f} ms, ratio {ratio:.2f}",
        "<= 1.5",
        holds=ratio <= 1.5,
    )


def _cpu_s(work: Callable[[], int]) -> float:
    started = time.process_time()
    assert work() == YEAR_BARS
    return time.process_time() - started
