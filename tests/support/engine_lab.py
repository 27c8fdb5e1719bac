"""A small engine world for tests: a spec, bars, and a sink that keeps what it is given."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from tc.data.bar_table import BarTable
from tc.engine.backtest import BacktestOutcome, Controls, run_backtest
from tc.engine.bars import BarFeed
from tc.engine.strategy_source import load_strategy
from tc.model.reading import read_run_spec
from tc.model.run_spec import RunSpec

BAR_TYPE = "BTCUSDT-PERP.BINANCE-1-MINUTE-LAST-EXTERNAL"
INSTRUMENT_ID = "BTCUSDT-PERP.BINANCE"
START_NS = 1_640_995_200_000_000_000
MINUTE_NS = 60_000_000_000

SPEC = f"""\
schema: tc.runspec/v1
name: lab
mode: backtest
seed: 7
venue:
  id: BINANCE
  account_type: MARGIN
  oms_type: NETTING
  starting_balances: [1000000 USDT]
  leverage: 10
instruments:
  - id: {INSTRUMENT_ID}
    kind: perpetual
    base_currency: BTC
    quote_currency: USDT
    price_increment: 0.1
    size_increment: 0.001
    margin_init: 0.05
    margin_maint: 0.025
    maker_fee: 0.0002
    taker_fee: 0.0004
data:
  dataset: lab
  bar_type: {BAR_TYPE}
  volume: base
strategies:
  - id: lab
    source: tc.engine.strategies.ema_cross:EMACross
    config: {{instrument_id: {INSTRUMENT_ID}, bar_type: {BAR_TYPE}, trade_size: "0.100"}}
risk: {{order_value: unlimited, order_quantity: unlimited, position_value: unlimited,
       message_rate: unlimited, total_drawdown: unlimited}}
"""


class ListSink:
    """Keeps entries in memory."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, int, dict[str, Any]]] = []

    def add(self, entry_type: str, ts: int, data: bytes) -> int:
        """Keep one entry."""
        self.entries.append((entry_type, ts, json.loads(data)))
        return len(self.entries)

    def types(self) -> list[str]:
        """Return the types in order."""
        return [entry[0] for entry in self.entries]

    def of(self, entry_type: str) -> list[dict[str, Any]]:
        """Return the payloads of one type."""
        return [entry[2] for entry in self.entries if entry[0] == entry_type]


def lab_spec(text: str = SPEC) -> RunSpec:
    """Return a valid spec."""
    return read_run_spec(text.encode(), "lab.yaml")


def lab_bars(count: int, seed: int = 1) -> BarTable:
    """Return seeded one-minute bars around 40,000."""
    random = np.random.default_rng(seed)
    close = (40_000 * np.exp(np.cumsum(random.normal(0, 8e-4, count)))).round(1)
    open_ = np.r_[close[0], close[:-1]]
    high = (np.maximum(open_, close) * 1.0001).round(1)
    low = (np.minimum(open_, close) * 0.9999).round(1)
    stamps = START_NS + MINUTE_NS * np.arange(1, count + 1)
    return BarTable.of(stamps, open_, high, low, close, np.full(count, 100.0))


def run_lab(
    spec: RunSpec,
    folder: Path,
    *,
    bars: int = 500,
    sink: Any = None,
    controls: Controls | None = None,
) -> tuple[BacktestOutcome, Any]:
    """Run a spec's backtest on lab bars; return outcome and sink."""
    sink = ListSink() if sink is None else sink
    table = lab_bars(bars)
    strategies = [load_strategy(one, folder, number) for number, one in enumerate(spec.strategies, start=1)]
    feeds = [BarFeed(spec.data[0], table, table.volume.copy())]
    log = folder / "log"
    log.mkdir(exist_ok=True)
    controls = controls or Controls(lambda _progress: None, lambda: False)
    return run_backtest(spec, feeds, strategies, sink, log, controls), sink
