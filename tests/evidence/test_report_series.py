"""What is drawn is shorter than what happened, and loses nothing that matters."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as draw

from support.report_lab import MINUTE_NS, START_NS, report_bars
from tc.data.bar_table import BarTable
from tc.evidence.equity import EquityCurve
from tc.evidence.position import Fill
from tc.evidence.report_month import month_table
from tc.evidence.report_series import EQUITY_POINTS_MAX, merge_bars, merge_fills, spark, thin_curve


def made_curve(equity: np.ndarray, step_ns: int = MINUTE_NS) -> EquityCurve:
    """Return a curve that starts at its first value."""
    stamps = START_NS + step_ns * np.arange(1, len(equity) + 1)
    peak = np.maximum.accumulate(equity)
    return EquityCurve("USDT", stamps, equity, equity / peak - 1, np.zeros(len(equity)), float(equity[0]))


def made_fill(ts_event: int, quantity: str, price: str) -> Fill:
    """Return a fill of one instrument."""
    return Fill(ts_event, "S", "I", "P", "O", Decimal(quantity), Decimal(price), Decimal(0), "USDT", is_maker=False)


@given(draw.integers(1, 3000), draw.integers(10, 200), draw.integers(0, 5))
def test_candles_keep_every_extreme(bars: int, candles_max: int, seed: int) -> None:
    """However bars are merged, first open, last close, highest high and lowest low are those of the bars."""
    table = report_bars(bars, seed)
    candles = merge_bars(table, candles_max)
    assert 1 <= len(candles.ts_event) <= max(candles_max, 1)
    assert (candles.open[0], candles.close[-1]) == (table.open[0], table.close[-1])
    assert (candles.high.max(), candles.low.min()) == (table.high.max(), table.low.min())
    assert np.all(np.diff(candles.ts_event) > 0)
    assert np.all(candles.low <= np.minimum(candles.open, candles.close))
    assert np.all(candles.high >= np.maximum(candles.open, candles.close))


def test_candles_have_a_round_length() -> None:
    """A month of minutes becomes candles of 30 minutes, the first of which closes at half past midnight."""
    candles = merge_bars(report_bars(43_200))
    assert candles.step_s == 1800
    assert len(candles.ts_event) == 1440
    assert candles.ts_event[0] == START_NS + 30 * MINUTE_NS


def test_few_bars_are_drawn_as_they_are() -> None:
    """Bars that fit are not merged."""
    table = report_bars(1500)
    candles = merge_bars(table)
    assert candles.step_s is None
    assert np.array_equal(candles.close, table.close)


def test_sparse_bars_are_merged_by_count() -> None:
    """Bars so far apart that no candle length merges them are still merged under the cap."""
    count = 40
    stamps = START_NS + 10**17 * np.arange(1, count + 1)
    prices = np.arange(1.0, count + 1)
    candles = merge_bars(BarTable.of(stamps, prices, prices, prices, prices, prices), 10)
    assert len(candles.ts_event) == 10
    assert (candles.open[0], candles.close[-1]) == (1.0, 40.0)


def test_markers_add_up_to_the_fills() -> None:
    """Markers hold every fill once: quantities add up, and a marker's price is the mean by quantity."""
    candles = merge_bars(report_bars(600), 10)
    ts = int(candles.ts_event[3])
    fills = [
        made_fill(ts, "1", "100"),
        made_fill(ts - 1, "3", "200"),
        made_fill(ts, "-2", "50"),
        made_fill(ts + 1, "5", "7"),
    ]
    buys, sells = (merge_fills(fills, candles, is_buy=is_buy) for is_buy in (True, False))
    assert buys.candle.tolist() == [3, 4]
    assert buys.price.tolist() == [175.0, 7.0]
    assert buys.quantity.tolist() == [4.0, 5.0]
    assert buys.fills.tolist() == [2, 1]
    assert (sells.candle.tolist(), sells.quantity.tolist(), sells.price.tolist()) == ([3], [2.0], [50.0])


def test_fills_after_the_last_bar_stay() -> None:
    """A fill behind the last bar is drawn at the last candle instead of being lost."""
    candles = merge_bars(report_bars(20))
    late = merge_fills([made_fill(int(candles.ts_event[-1]) + 99, "1", "5")], candles, is_buy=True)
    assert late.candle.tolist() == [19]


def test_no_fills_make_no_markers() -> None:
    """Without fills there are no markers."""
    assert len(merge_fills([], merge_bars(report_bars(20)), is_buy=True).candle) == 0


@given(draw.integers(3001, 20_000), draw.integers(0, 20))
def test_a_thinned_curve_keeps_its_extremes(count: int, seed: int) -> None:
    """Lowest, highest, first and last equity and the deepest drawdown are among the points that are drawn."""
    curve = made_curve(np.random.default_rng(seed).lognormal(0, 0.1, count))
    kept = thin_curve(curve)
    assert len(kept) <= EQUITY_POINTS_MAX
    assert {0, count - 1, int(curve.equity.argmin()), int(curve.equity.argmax())} <= set(kept.tolist())
    assert curve.drawdown[kept].min() == curve.drawdown.min()
    assert np.all(np.diff(kept) > 0)


def test_the_naive_thinning_fails() -> None:
    """Every nth point loses a one-bar crash, which the thinned curve shows."""
    equity = np.full(100_000, 1000.0)
    equity[50_001] = 400.0
    curve = made_curve(equity)
    naive = np.arange(0, len(equity), len(equity) // EQUITY_POINTS_MAX + 1)
    assert curve.drawdown[naive].min() == 0
    assert curve.drawdown[thin_curve(curve)].min() == pytest.approx(-0.6)


def test_a_short_curve_is_drawn_whole() -> None:
    """A curve that fits is not thinned."""
    assert len(thin_curve(made_curve(np.ones(3000)))) == 3000


def test_sparks() -> None:
    """A rising series rises, a flat one is flat, and none is nothing."""
    assert spark(np.arange(8.0), 8) == "▁▂▃▄▅▆▇█"
    assert spark(np.ones(100), 5) == "▁▁▁▁▁"
    assert spark(np.array([])) == ""


def test_months_compound_to_the_whole() -> None:
    """Months and years are returns between last closes, the first from the start: they compound to the total."""
    day_ns = 86_400_000_000_000
    equity = np.array([100.0 + index for index in range(90)])
    table = month_table(made_curve(equity, day_ns))
    assert table is not None
    (row,) = table.rows
    january, february, march = (100 + 30) / 100 - 1, (100 + 58) / 130 - 1, 189 / 158 - 1
    assert [cell.text for cell in row[:5]] == [
        "2022", f"+{january:.2%}", f"+{february:.2%}", f"+{march:.2%}", "",
    ]  # fmt: skip
    assert row[-1].text == "+89.00%"


def test_one_month_has_no_table() -> None:
    """A run within one month has no table of months."""
    assert month_table(made_curve(np.ones(1000))) is None
