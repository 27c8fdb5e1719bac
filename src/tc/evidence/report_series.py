"""Long series made short enough to draw, without losing an extreme.

A year of minutes is half a million bars and tens of thousands of fills. What is drawn is candles of a round length,
equity points that keep every bucket's lowest, highest and last value, and one marker a side and candle.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tc.data.bar_table import BarTable
from tc.evidence.equity import EquityCurve
from tc.evidence.position import Fill
from tc.evidence.report_number import NS_PER_S

if TYPE_CHECKING:
    from numpy.typing import NDArray

CANDLES_MAX = 1_500
EQUITY_POINTS_MAX = 3_000
_KEPT_PER_BUCKET = 4
_STEPS_S = (
    1, 5, 10, 15, 30, 60, 120, 180, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 14_400, 21_600, 28_800, 43_200,
    86_400, 172_800, 259_200, 604_800, 1_209_600, 2_419_200,
)  # fmt: skip
_SPARKS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True, eq=False)
class Candles:
    """Bars merged into candles of `step_s` seconds, stamped with the close of their last bar (ns).

    `step_s` is None where every candle is one bar.
    """

    ts_event: NDArray[np.int64]
    open: NDArray[np.float64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]
    step_s: int | None


@dataclass(frozen=True, eq=False)
class Markers:
    """The fills of one side, one marker a candle: mean price by quantity, total quantity, and how many fills."""

    candle: NDArray[np.int64]
    price: NDArray[np.float64]
    quantity: NDArray[np.float64]
    fills: NDArray[np.int64]


def merge_bars(table: BarTable, candles_max: int = CANDLES_MAX) -> Candles:
    """Return at most `candles_max` candles of the shortest round length that allows it; the table is not empty."""
    stamps = table.ts_event.astype(np.int64)
    if len(stamps) <= candles_max:
        return Candles(stamps, table.open, table.high, table.low, table.close, None)
    step_s = next((step for step in _STEPS_S if len(_starts(stamps, step)) <= candles_max), None)
    # Centuries of bars, or a cap below what weeks can do, are merged by count.
    by_count = np.arange(0, len(stamps), -(-len(stamps) // candles_max))
    starts = by_count if step_s is None else _starts(stamps, step_s)
    last = np.append(starts[1:], len(stamps)) - 1
    return Candles(
        stamps[last],
        table.open[starts],
        np.maximum.reduceat(table.high, starts),
        np.minimum.reduceat(table.low, starts),
        table.close[last],
        step_s,
    )


def merge_fills(fills: list[Fill], candles: Candles, *, is_buy: bool) -> Markers:
    """Return one marker a candle for the fills of one side."""
    chosen = [fill for fill in fills if (fill.quantity > 0) == is_buy]
    stamps = np.array([fill.ts_event for fill in chosen], dtype=np.int64)
    quantity = np.abs(np.array([float(fill.quantity) for fill in chosen]))
    price = np.array([float(fill.price) for fill in chosen])
    count = len(candles.ts_event)
    index = np.minimum(np.searchsorted(candles.ts_event, stamps), count - 1)
    fills_of = np.bincount(index, minlength=count)
    total = np.bincount(index, weights=quantity, minlength=count)
    value = np.bincount(index, weights=quantity * price, minlength=count)
    candle = np.flatnonzero(fills_of)
    return Markers(candle, value[candle] / total[candle], total[candle], fills_of[candle])


def thin_curve(curve: EquityCurve, points_max: int = EQUITY_POINTS_MAX) -> NDArray[np.int64]:
    """Return the indexes to draw: of every bucket the lowest, highest and last equity and the deepest drawdown."""
    count = len(curve.ts_event)
    if count <= points_max:
        return np.arange(count)
    width = -(-count // ((points_max - 1) // _KEPT_PER_BUCKET))
    buckets = -(-count // width)
    pad = buckets * width - count
    equity = np.pad(curve.equity, (0, pad), mode="edge").reshape(buckets, width)
    drawdown = np.pad(curve.drawdown, (0, pad), mode="edge").reshape(buckets, width)
    first = np.arange(buckets) * width
    kept = [equity.argmin(1) + first, equity.argmax(1) + first, drawdown.argmin(1) + first, first + width - 1]
    return np.unique(np.minimum(np.concatenate([[0], *kept]), count - 1))


def spark(values: NDArray[np.float64], width: int = 60) -> str:
    """Return a series as one line of block characters."""
    if len(values) == 0:
        return ""
    picked = values[np.linspace(0, len(values) - 1, min(width, len(values))).astype(int)]
    low, high = float(picked.min()), float(picked.max())
    if high == low:
        return _SPARKS[0] * len(picked)
    level = ((picked - low) / (high - low) * (len(_SPARKS) - 1)).round().astype(int)
    return "".join(_SPARKS[one] for one in level)


def _starts(stamps: NDArray[np.int64], step_s: int) -> NDArray[np.int64]:
    """Return the index of every candle's first bar; a bar that closes on a boundary belongs to the candle before it."""
    bucket = (stamps - 1) // (step_s * NS_PER_S)
    return np.append(0, np.flatnonzero(np.diff(bucket)) + 1)
