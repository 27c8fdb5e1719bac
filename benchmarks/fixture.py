"""A year of generated minutes and the specs that run on it, made once in a scratch folder."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from measure import PYTHON, ROOT

YEAR_BARS = 525_600
SCRATCH = Path(os.environ.get("TC_BENCH_SCRATCH", "/tmp/tc-bench"))
RUNTIME = SCRATCH / "runtime"
ARTIFACTS = SCRATCH / "artifacts"
DATASET = "bench-year"

_SPEC = """\
schema: tc.runspec/v1
name: {name}
mode: backtest
seed: 1
venue:
  id: BINANCE
  account_type: MARGIN
  oms_type: NETTING
  starting_balances: [10000000 USDT]
  leverage: 10
instruments:
  - id: BTCUSDT-PERP.BINANCE
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
  dataset: {dataset}
  bar_type: BTCUSDT-PERP.BINANCE-1-MINUTE-LAST-EXTERNAL
  volume: base
strategies:
  - id: bench
    source: {source}
    config:
{config}
risk:
  order_value: unlimited
  order_quantity: unlimited
  position_value: unlimited
  message_rate: unlimited
  total_drawdown: unlimited
"""
_WIDE = """\
risk:
  order_value: 1000000000 USDT
  order_quantity: 100000
  position_value: 1000000000 USDT
  message_rate: 1000/s
  total_drawdown: 0.99
  drawdown_warning: 0.98
  daily_loss: 0.98
  weekly_loss: 0.98
  price_collar: 0.9
  price_collar_period: 0.9
  repeated_execution: 1000/s
  duplicate_order: 1000/s
  consecutive_losses: 1000000
  group_risk: 1
  open_positions: 1000
"""
_BAR_TYPE = "      bar_type: BTCUSDT-PERP.BINANCE-1-MINUTE-LAST-EXTERNAL\n"


def tc(*arguments: str) -> list[str]:
    """Return the command line of a `tc` call."""
    return [PYTHON, "-P", "-m", "tc", *arguments]


def dataset(bars: int) -> str:
    """Return the name of a generated dataset of that many bars, made if it is not there."""
    name = f"{DATASET}-{bars}"
    if not (RUNTIME / "datasets" / name / "dataset.json").is_file():
        command = tc("data", "generate", "--name", name, "--seed", "11", "--bars", str(bars), "--price-precision", "1",
                     "--price", "40000", "--gap-probability", "0", "--runtime-root", str(RUNTIME))  # fmt: skip
        subprocess.run(command, check=True, cwd=ROOT)
    return name


def parquet(name: str) -> str:
    """Return the dataset's Parquet file."""
    return str(next((RUNTIME / "datasets" / name).glob("*.parquet")))


def quiet_spec(bars: int) -> Path:
    """Return a spec whose strategy sends nothing."""
    source = f"{ROOT / 'benchmarks/strategies/quiet.py'}:Quiet"
    return _write("quiet", _SPEC.format(name="quiet", dataset=dataset(bars), source=source, config=_BAR_TYPE))


def ema_spec(bars: int, fast: int, slow: int) -> Path:
    """Return a spec with the engine's own example of an EMA cross."""
    config = (
        "      instrument_id: BTCUSDT-PERP.BINANCE\n" + _BAR_TYPE + '      trade_size: "0.010"\n'
        f"      fast_ema_period: {fast}\n      slow_ema_period: {slow}\n"
        "      request_bars: false\n      subscribe_trade_ticks: false\n"
    )
    source = "nautilus_trader.examples.strategies.ema_cross:EMACross"
    return _write(f"ema-{bars}", _SPEC.format(name="ema", dataset=dataset(bars), source=source, config=config))


def wide_spec(bars: int, fast: int, slow: int) -> Path:
    """Return the spec of `ema_spec` with every limit set so wide that it never bites."""
    text = ema_spec(bars, fast, slow).read_text()
    return _write(f"wide-{bars}", text[: text.index("risk:")].replace("name: ema", "name: wide") + _WIDE)


def _write(name: str, text: str) -> Path:
    path = SCRATCH / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def run_command(spec: Path) -> list[str]:
    """Return the `tc run` of a spec under the scratch roots."""
    return tc("run", str(spec), "--artifacts-root", str(ARTIFACTS), "--runtime-root", str(RUNTIME), "--json")
