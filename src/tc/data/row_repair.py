"""Repairs of rows: only the chosen ones, always in one order, each recorded with the lines it touched."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from tc.data.candidate import CandidateRows
from tc.data.dataset_info import Repair
from tc.data.finding import RepairChoice, Rule
from tc.data.row_check import broken_by

if TYPE_CHECKING:
    from numpy.typing import NDArray

REPAIR_LINES_MAX = 100

_ROW_RULES = frozenset(Rule) - {Rule.OUT_OF_ORDER, Rule.DUPLICATE_TIME}


def repair_rows(
    rows: CandidateRows, chosen: Collection[RepairChoice], price_precision: int
) -> tuple[CandidateRows, tuple[Repair, ...]]:
    """Return the repaired rows and what was done to them.

    `widen-range` sets high and low to the largest and smallest price of the row; `drop-invalid` removes rows
    that break a rule by themselves; `sort` orders by time; `drop-duplicates` keeps the first row of a time.
    A repair that had nothing to do is not recorded.
    """
    done: list[Repair] = []
    for choice in RepairChoice:
        if choice in chosen:
            rows, lines = _apply(rows, choice, price_precision)
            if lines:
                done.append(Repair(str(choice), len(lines), tuple(sorted(lines)[:REPAIR_LINES_MAX])))
    return rows, tuple(done)


def _apply(rows: CandidateRows, choice: RepairChoice, price_precision: int) -> tuple[CandidateRows, list[int]]:
    if choice is RepairChoice.WIDEN_RANGE:
        return _widen(rows, price_precision)
    if choice is RepairChoice.DROP_INVALID:
        bad = broken_by(rows, price_precision, _ROW_RULES)
        lines = [row.line for row in rows.ragged] + _lines(rows, bad)
        return replace(rows.select(~bad), ragged=()), lines
    if choice is RepairChoice.SORT:
        late = broken_by(rows, price_precision, frozenset({Rule.OUT_OF_ORDER}))
        if not late.any():
            return rows, []
        return rows.select(np.argsort(rows.ts_event, kind="stable")), _lines(rows, late)
    again = broken_by(rows, price_precision, frozenset({Rule.DUPLICATE_TIME}))
    return rows.select(~again), _lines(rows, again)


def _widen(rows: CandidateRows, price_precision: int) -> tuple[CandidateRows, list[int]]:
    narrow = broken_by(rows, price_precision, frozenset({Rule.HIGH_BELOW_LOW, Rule.OUTSIDE_RANGE}))
    prices = np.stack([rows.open, rows.high, rows.low, rows.close])
    high = np.where(narrow, prices.max(axis=0), rows.high)
    low = np.where(narrow, prices.min(axis=0), rows.low)
    return replace(rows, high=high, low=low), _lines(rows, narrow)


def _lines(rows: CandidateRows, mask: NDArray[Any]) -> list[int]:
    return [int(line) for line in rows.line[mask]]
