"""Foreign Parquet files to datasets."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from support.market import MINUTE_NS, START_NS
from tc.data.bar_table import BarTable
from tc.data.dataset_info import DatasetInfo
from tc.data.dataset_store import DatasetStore
from tc.data.import_options import ImportOptions
from tc.data.importer import import_parquet
from tc.errors import DatasetInvalid, InputError

SECONDS = [START_NS // 10**9 + 60 * minute for minute in (1, 2, 3)]
PRICES = [1.1, 1.2, 1.3]


def import_columns(folder: Path, times: Any, prices: Any = PRICES, **options: Any) -> tuple[DatasetInfo, BarTable]:
    path = folder / "bars.parquet"
    prices = prices if isinstance(prices, pa.Array) else pa.array(prices)
    names = ("open", "high", "low", "close")
    pq.write_table(pa.table({"timestamp": times, **dict.fromkeys(names, prices), "volume": [1, 2, 3]}), path)
    store = DatasetStore(folder)
    info = import_parquet(path, ImportOptions(**{"stamp": "close", **options}), store, "a", replace=True).info
    return info, store.load("a").table


@pytest.mark.parametrize(
    "times",
    [
        pa.array(SECONDS),
        pa.array([second * 1000 for second in SECONDS], pa.uint64()),
        pa.array([str(second) for second in SECONDS]),
        pa.array(SECONDS).cast(pa.timestamp("s")),
        pa.array([second * 10**9 for second in SECONDS]).cast(pa.timestamp("ns", "UTC")),
        pa.array([second * 1000 for second in SECONDS]).cast(pa.timestamp("ms", "America/New_York")),
        pa.array(["2022-01-01 00:01", "2022-01-01 00:02", "2022-01-01 00:03"]).dictionary_encode(),
        pa.array(["2022-01-01T00:01Z", "2022-01-01T00:02Z", "2022-01-01T00:03Z"], pa.large_string()),
    ],
    ids=lambda times: str(times.type),
)
def test_times_of_any_type(tmp_path: Path, times: Any) -> None:
    """Integers, text and timestamps of any unit and zone give the same bars."""
    _, table = import_columns(tmp_path, times)

    assert table.ts_event.tolist() == [START_NS + minute * MINUTE_NS for minute in (1, 2, 3)]


def test_naive_timestamps_follow_the_zone(tmp_path: Path) -> None:
    """Timestamps without a zone are local times of the told one."""
    local = pa.array([second - 5 * 3600 for second in SECONDS]).cast(pa.timestamp("s"))
    _, table = import_columns(tmp_path, local, zone="America/New_York")

    assert table.ts_event.tolist()[0] == START_NS + MINUTE_NS


def test_dates_are_midnights(tmp_path: Path) -> None:
    """A column of dates makes daily bars."""
    info, table = import_columns(tmp_path, pa.array([date(2022, 1, day) for day in (1, 2, 3)]))

    assert int(table.ts_event[0]) == START_NS
    assert info.step_ns == 1440 * MINUTE_NS


@pytest.mark.parametrize(
    "prices",
    [
        pa.array(PRICES),
        pa.array(PRICES, pa.float32()),
        pa.array([Decimal("1.1"), Decimal("1.2"), Decimal("1.3")], pa.decimal128(38, 18)),
        pa.array(["1.1", "1.2", "1.3"]),
    ],
    ids=lambda prices: str(prices.type),
)
def test_prices_of_any_type(tmp_path: Path, prices: Any) -> None:
    """Floats of both widths, decimals and text become the float64 that was meant, with its precision."""
    info, table = import_columns(tmp_path, pa.array(SECONDS), prices)

    assert table.close.tolist() == PRICES
    assert info.price_precision == 1


def test_decimals_become_the_nearest_float(tmp_path: Path) -> None:
    """A decimal becomes the float64 nearest to it; the cast of the library, the naive version, misses it."""
    exact = [Decimal("259654409.17"), Decimal("0.000074606"), Decimal("1.000000001")]
    prices = pa.array(exact, pa.decimal128(38, 9))
    nearest = [float(value) for value in exact]
    _, table = import_columns(tmp_path, pa.array(SECONDS), prices, price_precision=9)

    assert table.close.tolist() == nearest
    assert prices.cast(pa.float64()).to_pylist() != nearest


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"time_unit": "s"}, "time unit s was given, but column 'timestamp' holds timestamp"),
        ({"zone": "Europe/Berlin"}, "zone Europe/Berlin was given, but column 'timestamp' holds timestamp"),
    ],
)
def test_options_that_the_type_answers_are_refused(tmp_path: Path, options: Any, message: str) -> None:
    """A unit or a zone is refused where the column's type already says it."""
    times = pa.array(SECONDS).cast(pa.timestamp("s", "UTC"))
    with pytest.raises(InputError, match=message):
        import_columns(tmp_path, times, **options)


def test_other_types_are_refused(tmp_path: Path) -> None:
    """Floats are no times."""
    with pytest.raises(DatasetInvalid, match="column 'timestamp' for timestamp holds double"):
        import_columns(tmp_path, pa.array([float(second) for second in SECONDS]))


def test_rows_are_counted_from_one(tmp_path: Path) -> None:
    """A bad value in a Parquet file is named by its row."""
    with pytest.raises(DatasetInvalid, match=r"price not above zero: 1 row \(row 2\)"):
        import_columns(tmp_path, pa.array(SECONDS), [1.0, 0.0, 1.0])


def test_a_stored_dataset_can_be_imported(tmp_path: Path) -> None:
    """The Parquet file of a dataset is itself a source, and gives the same content."""
    info, _ = import_columns(tmp_path, pa.array(SECONDS))
    (path,) = (tmp_path / "datasets/a").glob("*.parquet")
    options = ImportOptions(stamp="close", price_precision=1)

    assert import_parquet(path, options, DatasetStore(tmp_path), "b").info.fingerprint == info.fingerprint
