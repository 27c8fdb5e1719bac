"""CSV files to datasets: times, columns, stamps, precision and line numbers."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.market import MINUTE_NS, START_NS, csv_text, made_up_bars, minute_rows
from tc.clock import parse_utc_ns
from tc.data.bar_table import COLUMNS, BarTable
from tc.data.dataset_store import DatasetStore
from tc.data.import_options import ImportOptions
from tc.data.importer import ImportOutcome, import_csv
from tc.errors import AlreadyExists, DatasetInvalid, NotFound


def import_text(folder: Path, content: str | bytes, **options: Any) -> ImportOutcome:
    path = folder / "bars.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    told = ImportOptions(**{"stamp": "close", **options})
    return import_csv(path, told, DatasetStore(folder), "a", replace=True)


def closes(folder: Path) -> list[int]:
    return [int(ts) for ts in DatasetStore(folder).load("a").table.ts_event]


def rows_of(times: list[Any]) -> list[str]:
    return [f"{time},1.5,2.5,1.0,2.0,7" for time in times]


@pytest.mark.parametrize(("unit", "factor"), [("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9)])
@pytest.mark.parametrize("is_told", [True, False])
def test_epochs_in_four_units(tmp_path: Path, unit: str, factor: int, is_told: bool) -> None:
    """Epochs in seconds to nanoseconds give the same bars, told or detected by their number of digits."""
    times = [(START_NS // 10**9 + 60 * minute) * factor for minute in range(1, 4)]
    outcome = import_text(tmp_path, csv_text(rows_of(times)), time_unit=unit if is_told else "auto")

    assert closes(tmp_path) == [START_NS + minute * MINUTE_NS for minute in range(1, 4)]
    assert outcome.info.source.options["time_unit"] == unit


@pytest.mark.parametrize(
    "times",
    [
        ["2022-01-01 00:01", "2022-01-01 00:02"],
        ["2022-01-01T00:01:00.000", "2022-01-01T00:02:00.000000"],
        ["2022-01-01T00:01:00Z", "2022-01-01T01:02:00+01:00"],
        ["2021-12-31 19:01:00-0500", "2022-01-01 05:32:00+05:30"],
    ],
)
def test_times_in_words(tmp_path: Path, times: list[str]) -> None:
    """ISO times, short or long, naive UTC or with an offset, mean what they say."""
    import_text(tmp_path, csv_text(rows_of(times)))

    assert closes(tmp_path) == [START_NS + MINUTE_NS, START_NS + 2 * MINUTE_NS]


def test_local_times_follow_the_zone_through_the_change(tmp_path: Path) -> None:
    """Naive times of a zone become UTC, by one offset before a change of clocks and by another after it."""
    times = ["2024-03-31 01:00", "2024-03-31 03:00", "2024-03-31 04:00"]
    import_text(tmp_path, csv_text(rows_of(times)), zone="Europe/Berlin")

    assert closes(tmp_path) == [parse_utc_ns(f"2024-03-31T0{hour}:00") for hour in (0, 1, 2)]


def test_bars_stamped_at_the_open_are_stored_at_the_close(tmp_path: Path) -> None:
    """A bar stamped at its open is stored one step later, gaps or not, one stamped at its close as it is."""
    text = csv_text(rows_of(["2022-01-01 00:00", "2022-01-01 00:01", "2022-01-01 00:02", "2022-01-01 00:05"]))
    import_text(tmp_path, text, stamp="open")
    at_open = closes(tmp_path)
    import_text(tmp_path, text, stamp="close")

    assert at_open == [START_NS + minute * MINUTE_NS for minute in (1, 2, 3, 6)]
    assert closes(tmp_path) == [ts - MINUTE_NS for ts in at_open]


def test_a_told_step_is_used(tmp_path: Path) -> None:
    """With most bars missing the told step is added to the open and counts the gaps, not the detected one."""
    text = csv_text(rows_of(["2022-01-01 00:00", "2022-01-01 00:05", "2022-01-01 00:10"]))
    outcome = import_text(tmp_path, text, stamp="open", step_ns=MINUTE_NS)

    assert closes(tmp_path)[0] == START_NS + MINUTE_NS
    assert outcome.info.gaps.missing_bars == 8


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ("TIMESTAMP,OPEN,HIGH,LOW,CLOSE,VOLUME", {}),
        ("date,o,h,l,c,v", {}),
        ("Date, Open ,High,Low,Close,Vol", {}),
        ('"time","open","high","low","close","volume"', {}),
        ("at,a,b,c2,d,e",
         {"timestamp": "at", "open": "a", "high": "b", "low": "c2", "close": "D", "volume": "e"}),
    ],
)  # fmt: skip
def test_columns_are_found_by_name(tmp_path: Path, header: str, told: dict[str, str]) -> None:
    """Usual names in any case are found, and others are told."""
    import_text(tmp_path, csv_text(rows_of(["2022-01-01", "2022-01-02"]), header), columns=told)
    table = DatasetStore(tmp_path).load("a").table

    assert [getattr(table, name)[0] for name in COLUMNS[1:]] == [1.5, 2.5, 1.0, 2.0, 7.0]


def test_the_exact_name_wins(tmp_path: Path) -> None:
    """A column called exactly like its role wins over others that could be meant; extra columns are left."""
    header = "Date,timestamp,Adj Close,open,high,low,close,volume"
    rows = [f"1999-01-0{day},2022-01-0{day},9,1,2,1,2,5" for day in (1, 2)]
    import_text(tmp_path, csv_text(rows, header))

    assert closes(tmp_path)[0] == START_NS
    assert DatasetStore(tmp_path).load("a").table.close[0] == 2.0


def test_a_told_name_that_differs_by_case_alone(tmp_path: Path) -> None:
    """Of two columns that differ by case alone the told one is taken."""
    header = "time,open,high,low,close,Close,volume"
    text = csv_text([f"2022-01-0{day},1,9,1,2,3,5" for day in (1, 2)], header)
    import_text(tmp_path, text, columns={"close": "Close"})

    assert DatasetStore(tmp_path).load("a").table.close[0] == 3.0


@pytest.mark.parametrize(
    ("prices", "precision"),
    [(["1", "2"], 0), (["1.5", "2"], 1), (["1.50", "2.25"], 2), (["1.10000", "1.2"], 5), (["1e-3", "1.5"], 3),
     (["1.0000000000", "2"], 9), (["1.123456789", "2"], 9), (["+1.5", "2."], 1)],
)  # fmt: skip
def test_the_precision_is_that_of_the_text(tmp_path: Path, prices: list[str], precision: int) -> None:
    """The price precision is the largest number of decimals written, trailing zeros included, up to nine."""
    rows = [f"2022-01-0{day},{price},{price},{price},{price},1.23456" for day, price in enumerate(prices, 1)]
    outcome = import_text(tmp_path, csv_text(rows))

    assert outcome.info.price_precision == precision


def test_a_told_precision_may_be_larger(tmp_path: Path) -> None:
    """A precision that the instrument needs may exceed what was written."""
    assert import_text(tmp_path, csv_text(minute_rows(3)), price_precision=5).info.price_precision == 5


def test_a_declared_absent_volume_needs_no_column(tmp_path: Path) -> None:
    """With volume absent there may be no column, an empty one or any other: its cells are not read."""
    bare = csv_text([line.rpartition(",")[0] for line in minute_rows(3)], "timestamp,open,high,low,close")
    ticks = csv_text([f"{line.rpartition(',')[0]},many" for line in minute_rows(3)])
    for text in (bare, ticks):
        info = import_text(tmp_path, text, volume="absent").info

        assert info.volume == "absent"
        assert not DatasetStore(tmp_path).load("a").table.volume.any()


def test_a_constant_volume_is_kept_with_its_constant(tmp_path: Path) -> None:
    """A constant volume is stored with the declared quantity."""
    info = import_text(tmp_path, csv_text(minute_rows(3)), volume="constant", volume_constant=Decimal("12.5")).info

    assert (info.volume, info.volume_constant) == ("constant", Decimal("12.5"))


def test_single_bars_without_volume_are_counted(tmp_path: Path) -> None:
    """Some bars of zero volume are accepted and counted, because the engine fills them one unit at a time."""
    rows = minute_rows(5)
    rows[2] = "2022-01-01 00:03:00,100.5,101.0,100.0,100.75,0"

    assert import_text(tmp_path, csv_text(rows)).zero_volume_bars == 1


def naive_line(lines: list[str], bad: str) -> int:
    """The naive version: the index among the rows that a reader returns, plus one for the header and one."""
    return [line for line in lines[1:] if line].index(bad) + 2


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "marked"])
def test_lines_are_those_of_an_editor(tmp_path: Path, end: str, mark: bytes) -> None:
    """Empty lines, a byte order mark, CR LF and rows set aside do not shift the line numbers."""
    bad = "2022-01-01 00:09:00,x,101.0,100.0,100.75,1.5"
    lines = [*csv_text(minute_rows(4)).splitlines(), "", "2022-01-01 00:08:00,1", "", bad, "", ""]
    with pytest.raises(DatasetInvalid) as caught:
        import_text(tmp_path, mark + end.join(lines).encode())

    assert "wrong number of columns: 1 row (line 7)" in str(caught.value)
    assert "not a number: 1 row (line 9)" in str(caught.value)
    assert lines.index(bad) + 1 == 9
    assert naive_line(lines, bad) == 7, "the naive version misleads"


def test_a_break_within_quotes_is_not_a_shift(tmp_path: Path) -> None:
    """A line break within quotes, which would shift the numbers of all later lines, is refused."""
    rows = minute_rows(4)
    rows[1] = rows[1].replace("101.0", '"101\n.0"')
    with pytest.raises(DatasetInvalid, match="remove line breaks within quotes"):
        import_text(tmp_path, csv_text(rows))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sets(st.integers(2, 301), min_size=1, max_size=12),
    st.sampled_from(["x", "", "-1", "NaN", "1e999", "1,1"]),
)
def test_every_bad_row_is_counted_and_named(tmp_path: Path, lines: set[int], cell: str) -> None:
    """Bad rows anywhere are counted exactly and the first five are named by their lines."""
    rows = minute_rows(300)
    for line in lines:
        rows[line - 2] = rows[line - 2].replace("101.0", cell)
    first = sorted(lines)[:5]
    listed = ", ".join(map(str, first)) + (", ..." if len(lines) > 5 else "")
    with pytest.raises(DatasetInvalid) as caught:
        import_text(tmp_path, csv_text(rows))

    noun = "row" if len(lines) == 1 else "rows"
    assert f"{len(lines)} {noun} (line{'' if len(lines) == 1 else 's'} {listed})" in str(caught.value)


def test_numbers_are_the_nearest_floats(tmp_path: Path) -> None:
    """Text becomes the float64 nearest to it, as Python reads it, so that it prints as it was written."""
    bars = made_up_bars(300)
    columns = (getattr(bars, name).tolist() for name in COLUMNS)
    text = csv_text([",".join(map(repr, row)) for row in zip(*columns, strict=True)])
    import_text(tmp_path, text)
    back = DatasetStore(tmp_path).load("a").table

    assert all((getattr(back, name) == getattr(bars, name)).all() for name in COLUMNS)


def test_the_source_is_recorded_without_its_folder(tmp_path: Path) -> None:
    """A dataset knows the name and digest of its source and how it was understood, and no path."""
    outcome = import_text(tmp_path, csv_text(minute_rows(3)))
    source = outcome.info.source

    assert (source.kind, source.file) == ("csv", "bars.csv")
    assert source.digest is not None
    assert len(source.digest) == 71
    assert source.options == {
        "columns": "timestamp=timestamp, open=open, high=high, low=low, close=close, volume=volume",
        "time_unit": "iso",
        "zone": "UTC",
        "stamp": "close",
        "step": "1m",
        "repair": "none",
    }
    assert str(tmp_path) not in (tmp_path / "datasets/a/dataset.json").read_text()


def test_a_taken_name_is_refused(tmp_path: Path) -> None:
    """An import under a taken name is refused and leaves the first dataset."""
    first = import_text(tmp_path, csv_text(minute_rows(3))).info
    with pytest.raises(AlreadyExists):
        import_csv(tmp_path / "bars.csv", ImportOptions(stamp="open"), DatasetStore(tmp_path), "a")
    assert DatasetStore(tmp_path).info("a") == first


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """A source that is not there is not found by name."""
    with pytest.raises(NotFound, match=r"gone\.csv was not found"):
        import_csv(tmp_path / "gone.csv", ImportOptions(stamp="open"), DatasetStore(tmp_path), "a")


def test_equal_bars_have_equal_fingerprints(tmp_path: Path) -> None:
    """The same bars written in another way, order of columns, unit and stamp, are the same content."""
    one = import_text(tmp_path, csv_text(["1640995260,1.5,2.5,1,2,7", "1640995320,1.5,2.5,1,2,7"]))
    other = import_text(
        tmp_path,
        csv_text(
            ["7.0,2.0,1.0,2.5,1.50,2022-01-01T00:00Z", "7.0,2.0,1.0,2.5,1.5,2022-01-01T00:01Z"],
            "volume,close,low,high,open,time",
        ),
        stamp="open",
        price_precision=1,
    )

    assert other.info.fingerprint == one.info.fingerprint
    assert isinstance(DatasetStore(tmp_path).load("a").table, BarTable)
