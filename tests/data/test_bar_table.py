"""Bars as columns."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest

from support.market import MINUTE_NS, START_NS, made_up_bars
from tc.data.bar_table import COLUMNS, BarTable
from tc.errors import TcBug


def test_columns_are_owned_and_writable() -> None:
    """A table made of foreign columns owns contiguous, writable copies, as the engine's loader needs."""
    source = np.arange(1.0, 9.0)[::2]
    source.flags.writeable = False
    table = BarTable.of([1, 2, 3, 4], source, source, source, source, source)

    for name in COLUMNS:
        column = getattr(table, name)
        assert column.flags.writeable
        assert column.flags.c_contiguous
        assert not np.shares_memory(column, source)


@pytest.mark.parametrize("name", COLUMNS)
def test_read_only_columns_are_a_bug(name: str) -> None:
    """A read-only column is refused at once and not later by the engine."""
    table = made_up_bars(5)
    column = getattr(table, name).copy()
    column.flags.writeable = False

    with pytest.raises(TcBug, match=f"column {name}"):
        replace(table, **{name: column})


@pytest.mark.parametrize("times", [[1, 1, 2], [1, 3, 2]], ids=["repeated", "backwards"])
def test_times_increase(times: list[int]) -> None:
    """A table whose times repeat or go back cannot be made."""
    ones = [1.0, 1.0, 1.0]

    with pytest.raises(TcBug, match="strictly increasing"):
        BarTable.of(times, ones, ones, ones, ones, ones)


def test_columns_have_one_length() -> None:
    """A table with a shorter column cannot be made."""
    with pytest.raises(TcBug, match="column low had 1 rows, expected 2"):
        BarTable.of([1, 2], [1, 1], [1, 1], [1], [1, 1], [1, 1])


def test_a_table_is_frozen() -> None:
    """Columns of a table cannot be exchanged."""
    with pytest.raises(FrozenInstanceError):
        made_up_bars(2).close = np.zeros(2)  # type: ignore[misc]


def test_between_is_half_open_on_closes() -> None:
    """A range takes the bar that closes at its start and leaves out the one that closes at its end."""
    table = made_up_bars(10)
    part = table.between(START_NS + 3 * MINUTE_NS, START_NS + 6 * MINUTE_NS)

    assert part.ts_event.tolist() == [START_NS + minute * MINUTE_NS for minute in (3, 4, 5)]
    assert part.close.tolist() == table.close[2:5].tolist()


@pytest.mark.parametrize(("start", "end", "rows"), [(-5, 0, 0), (0, 1 << 62, 10), (1 << 62, 1 << 62, 0)])
def test_between_takes_any_bounds(start: int, end: int, rows: int) -> None:
    """Bounds outside the bars give all of them or none."""
    assert len(made_up_bars(10).between(start, end)) == rows
