"""Repairs of rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.market import csv_text, minute_rows
from tc.data.bar_table import BarTable
from tc.data.candidate import CandidateRows
from tc.data.dataset_info import DatasetInfo, Repair
from tc.data.dataset_store import DatasetStore
from tc.data.finding import RepairChoice
from tc.data.import_options import ImportOptions
from tc.data.importer import import_csv
from tc.data.row_check import fits_precision, judge
from tc.data.row_repair import REPAIR_LINES_MAX, repair_rows
from tc.errors import DatasetInvalid


def import_rows(folder: Path, rows: list[str], *repairs: str) -> tuple[DatasetInfo, BarTable]:
    path = folder / "bars.csv"
    path.write_text(csv_text(rows))
    options = ImportOptions(stamp="close", repairs=frozenset(map(RepairChoice, repairs)))
    info = import_csv(path, options, DatasetStore(folder), "a").info
    return info, DatasetStore(folder).load("a").table


def rows_with(replacements: dict[int, str], count: int = 8) -> list[str]:
    rows = minute_rows(count)
    for line, row in replacements.items():
        rows[line - 2] = row
    return rows


def test_a_clean_file_needs_no_repair(tmp_path: Path) -> None:
    """Chosen repairs that have nothing to do are not recorded as done."""
    info, _ = import_rows(tmp_path, minute_rows(5), *RepairChoice)

    assert info.repairs == ()
    assert info.source.options["repair"] == "drop-duplicates, drop-invalid, sort, widen-range"


def test_invalid_rows_are_dropped_and_recorded(tmp_path: Path) -> None:
    """Rows that break a rule by themselves are dropped, each once, with their lines."""
    bad = {
        3: "2022-01-01 00:02:00,x,y,100.0,100.75,1.5",
        5: "2022-01-01 00:04:00,100.5",
        6: "not a time,100.5,101.0,100.0,100.75,1.5",
        8: "2022-01-01 00:07:00,100.5,99,100.0,0,-1.5",
    }
    info, table = import_rows(tmp_path, rows_with(bad), "drop-invalid")

    assert info.repairs == (Repair("drop-invalid", 4, (3, 5, 6, 8)),)
    assert [int(ts) // 60_000_000_000 % 60 for ts in table.ts_event] == [1, 3, 6, 8]
    assert info.gaps.missing_bars == 4


def test_a_range_is_widened_to_its_prices(tmp_path: Path) -> None:
    """High and low become the largest and the smallest price of the row; other rows stay."""
    bad = {
        3: "2022-01-01 00:02:00,100.5,101.0,100.0,101.5,1.5",
        4: "2022-01-01 00:03:00,100.5,99.0,101.0,100.0,1.5",
    }
    info, table = import_rows(tmp_path, rows_with(bad), "widen-range")

    assert info.repairs == (Repair("widen-range", 2, (3, 4)),)
    assert table.high.tolist()[:4] == [101.0, 101.5, 101.0, 101.0]
    assert table.low.tolist()[:4] == [100.0, 100.0, 99.0, 100.0]


def test_widening_does_not_hide_an_impossible_price(tmp_path: Path) -> None:
    """A price of zero outside its range is still refused after widening."""
    bad = {3: "2022-01-01 00:02:00,100.5,101.0,100.0,0,1.5"}
    with pytest.raises(DatasetInvalid, match="price not above zero"):
        import_rows(tmp_path, rows_with(bad), "widen-range")


def test_rows_are_sorted(tmp_path: Path) -> None:
    """Rows out of order come into order, and those that came late are recorded."""
    rows = minute_rows(6)
    rows[1], rows[4] = rows[4], rows[1]
    info, table = import_rows(tmp_path, rows, "sort")

    assert np.all(np.diff(table.ts_event.astype(np.int64)) == 60_000_000_000)
    assert info.repairs == (Repair("sort", 2, (4, 6)),)


def test_the_first_row_of_a_time_is_kept(tmp_path: Path) -> None:
    """Of rows with one time the first of the file is kept, also where sorting brought them together."""
    rows = minute_rows(4)
    rows.append(rows[1].replace("100.75", "100.25"))
    info, table = import_rows(tmp_path, rows, "sort", "drop-duplicates")

    assert len(table) == 4
    assert table.close[1] == 100.75
    assert info.repairs == (Repair("sort", 1, (6,)), Repair("drop-duplicates", 1, (6,)))


def test_an_unchosen_repair_is_not_made(tmp_path: Path) -> None:
    """A repair helps against its own rule alone."""
    bad = {4: "2022-01-01 00:02:00,100.5,101.0,100.0,100.75,1.5"}
    for choice in ("drop-invalid", "widen-range", "sort"):
        with pytest.raises(DatasetInvalid, match="time seen before"):
            import_rows(tmp_path, rows_with(bad), choice)


def test_long_lists_of_lines_are_cut(tmp_path: Path) -> None:
    """A repair of very many rows records their number and the first lines."""
    rows = [row.replace("101.0", "0") if 2 <= index < 402 else row for index, row in enumerate(minute_rows(500))]
    info, _ = import_rows(tmp_path, rows, "drop-invalid")
    (repair,) = info.repairs

    assert repair.count == 400
    assert repair.lines == tuple(range(4, 4 + REPAIR_LINES_MAX))


PRICE = st.sampled_from([np.nan, np.inf, -1.0, 0.0, 1.0, 1.5, 2.0, 2.123])
ROW = st.tuples(st.integers(1, 12), PRICE, PRICE, PRICE, PRICE, PRICE)


@settings(max_examples=200)
@given(st.lists(ROW, min_size=1, max_size=12), st.booleans())
def test_all_repairs_leave_acceptable_rows(rows: list[tuple[float, ...]], has_widening: bool) -> None:
    """Whatever the rows, all repairs leave none that breaks a rule, and repairing again does nothing."""
    columns = [np.array(column, dtype=np.float64) for column in zip(*rows, strict=True)]
    candidates = CandidateRows(np.arange(2, len(rows) + 2), columns[0].astype(np.uint64), *columns[1:])
    chosen = set(RepairChoice) if has_widening else set(RepairChoice) - {RepairChoice.WIDEN_RANGE}
    repaired, done = repair_rows(candidates, chosen, 2)

    assert judge(repaired, 2) == []
    assert repair_rows(repaired, chosen, 2)[1] == ()
    assert bool(done) == bool(judge(candidates, 2))
    dropped = sum(repair.count for repair in done if repair.rule.startswith("drop"))
    assert len(repaired) + dropped == len(candidates)


@given(st.integers(0, 10**12), st.integers(0, 9))
def test_a_price_of_some_decimals_is_known_as_such(units: int, precision: int) -> None:
    """The float64 nearest to a decimal number fits its decimals; one unit more in the next place does not."""
    column = np.array([float(f"{units}e-{precision}")])
    finer = np.array([float(f"{units}1e-{precision + 1}")])

    assert fits_precision(column, precision).all()
    assert not fits_precision(finer, precision).any()
