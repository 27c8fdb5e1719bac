"""Returns by calendar month, years down and months across."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from tc.evidence.equity import EquityCurve
from tc.evidence.report_number import ABSENT, NS_PER_S, signed_percent
from tc.evidence.report_page import Cell, Column, Table, Tone

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def month_table(curve: EquityCurve) -> Table | None:
    """Return the table, or None where the run lies within one month.

    A month's return runs from the equity at the last close of the month before to that at its own last close (UTC); the
    first starts from the starting equity.
    """
    months = (curve.ts_event - 1).astype("datetime64[ns]").astype("datetime64[M]")  # a close at midnight ends its month
    last = np.append(np.flatnonzero(np.diff(months)), len(months) - 1)
    if len(last) < 2:
        return None
    levels = [curve.starting_equity, *curve.equity[last].tolist()]
    by_month: dict[tuple[int, int], tuple[float, float]] = {}
    for index, position in enumerate(last):
        stamp = datetime.fromtimestamp((int(curve.ts_event[position]) - 1) // NS_PER_S, UTC)
        by_month[stamp.year, stamp.month] = levels[index], levels[index + 1]
    columns = (Column("Year"), *(Column(month, True) for month in MONTHS), Column("Total", True))
    years = sorted({year for year, _ in by_month})
    return Table(columns, tuple(_row(year, by_month) for year in years), "Return by month", is_even=True)


def _row(year: int, by_month: dict[tuple[int, int], tuple[float, float]]) -> tuple[Cell, ...]:
    levels = [by_month.get((year, month)) for month in range(1, 13)]
    known = [pair for pair in levels if pair is not None]
    return Cell(str(year)), *(_cell(pair) for pair in levels), _cell((known[0][0], known[-1][1]))


def _cell(levels: tuple[float, float] | None) -> Cell:
    if levels is None:
        return Cell.number("")
    before, after = levels
    if before <= 0:
        return Cell.number(ABSENT)
    change = after / before - 1
    tone: Tone = "plain" if abs(change) < 5e-5 else "good" if change > 0 else "bad"
    return Cell.number(signed_percent(change, 2), tone)
