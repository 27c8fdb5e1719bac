"""The report's drawings as plain JSON; the page's script turns them into charts in the colors of the reader's theme."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tc.data.bar_table import BarTable
from tc.evidence.equity import EquityCurve
from tc.evidence.facts import ReportFacts
from tc.evidence.position import Contract
from tc.evidence.report_number import counted, decimals_for, duration, moment, plain, signed_percent
from tc.evidence.report_page import Chart
from tc.evidence.report_series import CANDLES_MAX, Candles, Markers, merge_bars, merge_fills, spark, thin_curve

if TYPE_CHECKING:
    from numpy.typing import NDArray

PRICE_CHARTS_MAX = 6
CANDLES_TOTAL_MAX = 3_000
SYNTHETIC = "SYNTHETIC DATA"
_NS_PER_MS = 1_000_000
_RETURN_DECIMALS = 6


def equity_chart(curve: EquityCurve, *, is_synthetic: bool) -> Chart:
    """Return equity with its drawdown beneath."""
    kept = thin_curve(curve)
    decimals = decimals_for([float(curve.equity.max())])
    figure = {
        "kind": "equity",
        "watermark": SYNTHETIC if is_synthetic else "",
        "currency": curve.currency,
        "decimals": decimals,
        "start": round(curve.starting_equity, decimals),
        "time": _milliseconds(curve.ts_event[kept]),
        "equity": _rounded(curve.equity[kept], decimals),
        "drawdown": _rounded(curve.drawdown[kept], _RETURN_DECIMALS),
    }
    caption = f"Marked at the close of {counted(len(curve.ts_event), 'bar')}; times are UTC."
    if len(kept) < len(curve.ts_event):
        caption += f" {len(kept):,} points are drawn; every low, high and deepest drawdown is among them."
    low, high = float(curve.equity.min()), float(curve.equity.max())
    line = (
        f"{spark(curve.equity)}  {plain(low, decimals)} to {plain(high, decimals)} {curve.currency}, "
        f"deepest drawdown {signed_percent(float(curve.drawdown.min()))}"
    )
    title = _titled(f"Equity and drawdown, {curve.currency}", is_synthetic=is_synthetic)
    return Chart("equity", title, figure, caption, line, 470, is_synthetic)


def price_charts(facts: ReportFacts, synthetic: frozenset[str]) -> tuple[list[Chart], int]:
    """Return one chart of bars and fills for each of the busiest instruments, and how many instruments were left out.

    `synthetic` holds the instruments whose bars were generated.
    """
    tables = {name: table for name, table in _delivered(facts).items() if len(table)}
    fills = dict.fromkeys(tables, 0)
    for fill in facts.fold.fills:
        if fill.instrument_id in fills:
            fills[fill.instrument_id] += 1
    busiest = sorted(tables, key=lambda name: (-fills[name], name))[:PRICE_CHARTS_MAX]
    candles_max = min(CANDLES_MAX, CANDLES_TOTAL_MAX // max(len(busiest), 1))
    charts = [
        _price_chart(facts, name, f"price-{number}", tables[name], candles_max, is_synthetic=name in synthetic)
        for number, name in enumerate(busiest, start=1)
    ]
    return charts, len(tables) - len(busiest)


def _delivered(facts: ReportFacts) -> dict[str, BarTable]:
    """Return the bars that the run saw; of one that ended early, those up to the last moment of its journal."""
    if facts.metadata.get("bars") is not None and facts.metadata["bars"] == facts.metadata.get("bars_total"):
        return dict(facts.bars)
    return {name: table.between(0, facts.fold.ts_last + 1) for name, table in facts.bars.items()}


def _price_chart(
    facts: ReportFacts,
    instrument_id: str,
    name: str,
    table: BarTable,
    candles_max: int,
    *,
    is_synthetic: bool,
) -> Chart:
    fills = [fill for fill in facts.fold.fills if fill.instrument_id == instrument_id]
    candles = merge_bars(table, candles_max)
    contract = facts.fold.instruments.get(instrument_id)
    decimals = _price_decimals(contract, table)
    size_decimals = 3 if contract is None else contract.size_precision
    sides = {side: merge_fills(fills, candles, is_buy=side == "buy") for side in ("buy", "sell")}
    figure = {
        "kind": "price",
        "watermark": SYNTHETIC if is_synthetic else "",
        "decimals": decimals,
        "time": _milliseconds(candles.ts_event),
        **{part: _rounded(getattr(candles, part), decimals) for part in ("open", "high", "low", "close")},
        **{side: _marked(markers, decimals, size_decimals) for side, markers in sides.items()},
    }
    low, high = plain(float(table.low.min()), decimals), plain(float(table.high.max()), decimals)
    line = f"{spark(table.close)}  {low} to {high}"
    unit = "" if contract is None else f", {contract.quote_currency}"
    title = _titled(f"{instrument_id}{unit}", is_synthetic=is_synthetic)
    caption = _price_caption(table, candles, sides, len(fills))
    return Chart(name, title, figure, caption, line, 440, is_synthetic)


def _price_caption(table: BarTable, candles: Candles, sides: dict[str, Markers], fills: int) -> str:
    span = f"{moment(int(table.ts_event[0]))} to {moment(int(table.ts_event[-1]))} UTC"
    if candles.step_s is None and len(candles.ts_event) == len(table):
        drawn = f"{counted(len(table), 'bar')}, each drawn"
    else:
        length = "a fixed number of bars" if candles.step_s is None else duration(candles.step_s)
        drawn = f"{counted(len(table), 'bar')} merged into {len(candles.ts_event):,} candles of {length}"
    markers = sum(len(side.candle) for side in sides.values())
    if fills == 0:
        return f"{span}. {drawn}. There were no fills."
    if markers == fills:
        return f"{span}. {drawn}. {counted(fills, 'fill')}, one marker each: buys below, sells above."
    text = f"{counted(fills, 'fill')} in {markers:,} markers, one a side and candle: buys below, sells above"
    return f"{span}. {drawn}. {text}; point at one for its mean price."


def _marked(markers: Markers, decimals: int, size_decimals: int) -> dict[str, Any]:
    return {
        "candle": markers.candle.tolist(),
        "price": _rounded(markers.price, decimals),
        "quantity": _rounded(markers.quantity, size_decimals),
        "fills": markers.fills.tolist(),
    }


def _price_decimals(contract: Contract | None, table: BarTable) -> int:
    return decimals_for([float(table.high.max())]) if contract is None else contract.price_precision


def _titled(title: str, *, is_synthetic: bool) -> str:
    return f"{title} \u2014 {SYNTHETIC}" if is_synthetic else title


def _milliseconds(ts_ns: NDArray[np.int64]) -> list[int]:
    found: list[int] = (ts_ns // _NS_PER_MS).tolist()
    return found


def _rounded(values: NDArray[np.float64], decimals: int) -> list[float]:
    found: list[float] = np.round(values, decimals).tolist()
    return found
