"""The judgement of rows: every rule applied to whole columns at once, with the lines that break it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from tc.data.bar_table import PRICE_COLUMNS
from tc.data.candidate import CandidateRows
from tc.data.finding import LINES_LISTED_MAX, Finding, Rule

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FLOAT_INTEGER_MAX = 2.0**53

TIME_RULES = (Rule.NOT_A_TIME, Rule.AMBIGUOUS_TIME, Rule.NONEXISTENT_TIME)


def judge(rows: CandidateRows, price_precision: int) -> list[Finding]:
    """Return one finding for every rule that rows break, in the order of `Rule`; empty means acceptable."""
    findings = [*_ragged(rows), *_unread(rows)]
    for rule, mask, example in _broken(rows, price_precision):
        if mask.any():
            lines = rows.line[mask]
            first = int(np.flatnonzero(mask)[np.argmin(lines)])
            findings.append(Finding(rule, len(lines), _first_lines(lines), example(first)))
    order = list(Rule)
    return sorted(findings, key=lambda finding: order.index(finding.rule))


def broken_by(rows: CandidateRows, price_precision: int, rules: frozenset[Rule]) -> NDArray[np.bool_]:
    """Return the mask of rows that break one of `rules`."""
    broken = rows.unread_by(*rules)
    for rule, mask, _ in _broken(rows, price_precision):
        if rule in rules:
            broken |= mask
    return broken


def fits_precision(prices: NDArray[np.float64], precision: int) -> NDArray[np.bool_]:
    """Return which prices have at most `precision` decimals.

    Such a price is the float64 nearest to an integer divided by a power of ten, which is what that division
    gives while the integer is below 2**53. Beyond it a float64 cannot tell the decimals apart, so nothing is
    held against the price.
    """
    scale = 10.0**precision
    scaled = prices * scale
    with np.errstate(invalid="ignore"):
        fits: NDArray[np.bool_] = np.rint(scaled) / scale == prices
        return fits | ~(np.abs(scaled) < _FLOAT_INTEGER_MAX)


def _ragged(rows: CandidateRows) -> Iterator[Finding]:
    if rows.ragged:
        lines = tuple(row.line for row in rows.ragged[:LINES_LISTED_MAX])
        yield Finding(Rule.COLUMN_COUNT, len(rows.ragged), lines, rows.ragged[0].example)


def _unread(rows: CandidateRows) -> Iterator[Finding]:
    for rule in (*TIME_RULES, Rule.NOT_A_NUMBER):
        mask = rows.unread_by(rule)
        if mask.any():
            entries = [entry for entry in rows.unread if entry.rule is rule and entry.mask.any()]
            first = min(entries, key=lambda entry: int(rows.line[entry.mask].min()))
            lines = rows.line[mask]
            yield Finding(rule, len(lines), _first_lines(lines), first.example)


def _broken(
    rows: CandidateRows, price_precision: int
) -> Iterator[tuple[Rule, NDArray[np.bool_], Callable[[int], str]]]:
    prices = {name: getattr(rows, name) for name in PRICE_COLUMNS}

    def values(names: tuple[str, ...]) -> Callable[[int], str]:
        return lambda index: ", ".join(f"{name} {float(getattr(rows, name)[index])!r}" for name in names)

    numbers = (*PRICE_COLUMNS, "volume")
    not_finite = np.zeros(len(rows), dtype=np.bool_)
    for name in numbers:
        not_finite |= ~np.isfinite(getattr(rows, name))
    yield Rule.NOT_FINITE, not_finite & ~rows.unread_by(Rule.NOT_A_NUMBER), values(numbers)

    not_positive = np.zeros(len(rows), dtype=np.bool_)
    too_precise = np.zeros(len(rows), dtype=np.bool_)
    for column in prices.values():
        not_positive |= column <= 0
        too_precise |= np.isfinite(column) & ~fits_precision(column, price_precision)
    yield Rule.PRICE_NOT_POSITIVE, not_positive, values(PRICE_COLUMNS)
    yield Rule.VOLUME_NEGATIVE, rows.volume < 0, values(("volume",))
    yield Rule.HIGH_BELOW_LOW, rows.high < rows.low, values(("high", "low"))
    yield Rule.OUTSIDE_RANGE, _outside(rows), values(PRICE_COLUMNS)
    yield (
        Rule.TOO_PRECISE,
        too_precise,
        lambda index: f"{values(PRICE_COLUMNS)(index)} (precision {price_precision})",
    )
    yield from _time_rules(rows)


def _outside(rows: CandidateRows) -> NDArray[np.bool_]:
    above = (rows.open > rows.high) | (rows.close > rows.high)
    below = (rows.open < rows.low) | (rows.close < rows.low)
    # Where high is below low the range itself is wrong: one finding a row is enough.
    return (above | below) & (rows.high >= rows.low)


def _time_rules(rows: CandidateRows) -> Iterator[tuple[Rule, NDArray[np.bool_], Callable[[int], str]]]:
    readable = np.flatnonzero(~rows.unread_by(*TIME_RULES))
    ts = rows.ts_event[readable]
    if np.all(ts[1:] > ts[:-1]):
        return
    late = np.zeros(len(rows), dtype=np.bool_)
    late[readable[1:][ts[1:] < ts[:-1]]] = True
    order = np.argsort(ts, kind="stable")
    again = np.zeros(len(rows), dtype=np.bool_)
    again[readable[order[1:][ts[order[1:]] == ts[order[:-1]]]]] = True

    def moment(index: int) -> str:
        return f"{np.datetime64(int(rows.ts_event[index]), 'ns')}Z"

    yield Rule.OUT_OF_ORDER, late, lambda index: f"bar closing at {moment(index)}"
    yield Rule.DUPLICATE_TIME, again, lambda index: f"bar closing at {moment(index)}"


def _first_lines(lines: NDArray[np.int64]) -> tuple[int, ...]:
    return tuple(int(line) for line in np.sort(lines)[:LINES_LISTED_MAX])
