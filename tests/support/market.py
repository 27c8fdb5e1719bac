"""Market data for tests: the real files where they are, and small made-up ones with known habits."""

from __future__ import annotations

import os
from pathlib import Path

from tc.data.bar_table import BarTable
from tc.data.dataset_info import Source
from tc.data.generation import GenerationOptions, generate

PROJECT = Path(__file__).parents[2]
BTC_MINUTES = "btc-perp-1m-2022-01.csv"
EURUSD_HOURS = "eurusd-1h-2020-2025.csv"

MINUTE_NS = 60_000_000_000
START_NS = 1_640_995_200_000_000_000  # 2022-01-01T00:00:00Z
GENERATED = Source("generated", None, None, {})


def shared_data_folder() -> Path:
    """Return the folder of real market data: TC_SHARED_DATA, else beside the project."""
    return Path(os.environ.get("TC_SHARED_DATA") or PROJECT / "../shared/data").resolve()


def has_shared_data() -> bool:
    """Tell whether both real files are there; tests marked shared_data need them."""
    return all((shared_data_folder() / name).is_file() for name in (BTC_MINUTES, EURUSD_HOURS))


def made_up_bars(count: int = 200, *, seed: int = 7) -> BarTable:
    """Return minute bars without gaps, prices with one decimal."""
    return generate(GenerationOptions(seed=seed, bars=count, gap_probability=0.0))


def csv_text(rows: list[str], header: str = "timestamp,open,high,low,close,volume") -> str:
    """Return a CSV file of the given lines below a header."""
    return "\n".join([header, *rows, ""])


def minute_rows(count: int) -> list[str]:
    """Return CSV lines of minute bars stamped by naive UTC times, all valid, volume 1.5."""
    return [
        f"2022-01-01 {minute // 60:02}:{minute % 60:02}:00,100.5,101.0,100.0,100.75,1.5"
        for minute in range(1, count + 1)
    ]
