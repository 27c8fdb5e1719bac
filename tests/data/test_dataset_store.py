"""Datasets on the shelf."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.market import GENERATED, MINUTE_NS, START_NS, made_up_bars
from tc.data.bar_table import COLUMNS, BarTable
from tc.data.dataset_info import DatasetInfo, Repair, Source
from tc.data.dataset_store import DatasetStore
from tc.errors import AlreadyExists, ArtifactCorrupt, DatasetInvalid, IdUnsafe, InputError, NotFound


@pytest.fixture
def store(tmp_path: Path) -> DatasetStore:
    """Return a store below a runtime root that does not exist yet."""
    return DatasetStore(tmp_path / "runtime")


def save(store: DatasetStore, name: str, table: BarTable, **changes: Any) -> DatasetInfo:
    facts: dict[str, Any] = {"price_precision": 1, "volume": "base", "synthetic": True, "source": GENERATED}
    return store.save(name, table, **(facts | changes))


def same(left: BarTable, right: BarTable) -> bool:
    return all(np.array_equal(getattr(left, name), getattr(right, name)) for name in COLUMNS)


def bars_file(tmp_path: Path, name: str) -> Path:
    (path,) = (tmp_path / "runtime" / "datasets" / name).glob("bars-*.parquet")
    return path


def test_bars_come_back_as_they_were(store: DatasetStore) -> None:
    """Stored bars come back bit for bit, in columns that the engine may take over, with all that was said."""
    table = made_up_bars(500)
    source = Source("csv", "x.csv", "sha256:00", {"zone": "UTC"})
    info = save(store, "a", table, source=source, synthetic=False, repairs=[Repair("sort", 2, (3, 9))])
    back = store.load("a")

    assert back.info == info
    assert same(back.table, table)
    assert all(getattr(back.table, name).flags.writeable for name in COLUMNS)
    assert (info.rows, info.step_ns, info.ts_first) == (500, MINUTE_NS, START_NS + MINUTE_NS)
    assert store.verify("a").is_intact


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(1, 10**6), st.integers(1, 10**9), st.integers(0, 10**9)), min_size=2))
def test_any_bars_come_back(store: DatasetStore, rows: list[tuple[int, int, int]]) -> None:
    """Bars of any prices, volumes and distances come back bit for bit."""
    times = np.cumsum([row[0] for row in rows])
    prices = np.array([row[1] for row in rows]) / 1000
    volume = np.array([row[2] + 1 for row in rows]) / 7
    table = BarTable.of(times, prices, prices * 2, prices, prices * 2, volume)
    save(store, "any", table, price_precision=3, replace=True)

    assert same(store.load("any").table, table)


def test_a_constant_volume_is_a_decimal_in_words(store: DatasetStore, tmp_path: Path) -> None:
    """The constant of a constant volume is stored as text, comes back exact, and the column holds zeros."""
    save(store, "a", made_up_bars(), volume="constant", volume_constant=Decimal("0.10"))
    raw = json.loads((tmp_path / "runtime/datasets/a/dataset.json").read_bytes())

    assert raw["schema"] == "tc.dataset/v1"
    assert raw["volume_constant"] == "0.10"
    assert store.info("a").volume_constant == Decimal("0.10")
    assert not store.load("a").table.volume.any()


def test_names_and_removal(store: DatasetStore) -> None:
    """The store lists what it holds by name, and a removed dataset is gone."""
    assert store.names() == []
    for name in ("b", "a"):
        save(store, name, made_up_bars())
    assert store.names() == ["a", "b"]

    store.remove("a")

    assert store.names() == ["b"]
    with pytest.raises(NotFound, match=r"'a' was not found in .* \(there: b\)"):
        store.remove("a")


@pytest.mark.parametrize("operation", ["info", "load", "verify"])
def test_a_missing_dataset_is_named(store: DatasetStore, operation: str) -> None:
    """A dataset that is not there is not found, and the message says which are."""
    save(store, "there", made_up_bars())

    with pytest.raises(NotFound, match=r"'gone' was not found in .* \(there: there\)"):
        getattr(store, operation)("gone")


@pytest.mark.parametrize("name", ["../up", "a/b", "", ".hidden", "x" * 200])
def test_a_name_is_no_path(store: DatasetStore, name: str) -> None:
    """A name that would leave the store's directory is refused."""
    with pytest.raises(IdUnsafe):
        save(store, name, made_up_bars())


def test_a_taken_name_is_refused(store: DatasetStore) -> None:
    """A second dataset of one name is refused, and replaces the first when told so."""
    first = save(store, "a", made_up_bars(seed=1))
    with pytest.raises(AlreadyExists):
        save(store, "a", made_up_bars(seed=2))
    assert store.info("a") == first

    second = save(store, "a", made_up_bars(seed=2), replace=True)

    assert store.load("a").info == second
    assert second.fingerprint != first.fingerprint


def test_replacing_leaves_no_old_files(store: DatasetStore, tmp_path: Path) -> None:
    """After a replacement the directory holds one description and one file of bars."""
    for seed in (1, 2, 3):
        save(store, "a", made_up_bars(seed=seed), replace=True)
    names = sorted(path.name for path in (tmp_path / "runtime/datasets/a").iterdir())

    assert names == [bars_file(tmp_path, "a").name, "dataset.json"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"price_precision": 10}, "price precision was 10, expected 0 to 9"),
        ({"volume": "constant"}, "volume was 'constant' and the volume constant None"),
        ({"volume_constant": Decimal(1)}, "volume was 'base' and the volume constant 1"),
        ({"volume": "constant", "volume_constant": Decimal(0)}, "the volume constant was 0"),
        ({"volume": "constant", "volume_constant": Decimal("NaN")}, "the volume constant was NaN"),
        ({"step_ns": 2 * MINUTE_NS}, "the step was given as 2m, but most bars are 1m apart"),
    ],
)
def test_facts_that_cannot_be_are_refused(store: DatasetStore, changes: dict[str, Any], message: str) -> None:
    """Precision, volume and step that contradict each other or the bars are refused; nothing is stored."""
    with pytest.raises(InputError, match=message):
        save(store, "a", made_up_bars(), **changes)
    assert store.names() == []


def test_bars_are_judged_once_more_when_stored(store: DatasetStore) -> None:
    """Whoever hands bars to the store, impossible ones are refused by row."""
    table = made_up_bars(10)
    table.high[3] = 1.0
    table.volume[7] = np.nan

    with pytest.raises(DatasetInvalid, match=r"NaN or infinite: 1 row \(row 8\)(.|\n)*high below low: 1 row \(row 4\)"):
        save(store, "a", table)


def test_zero_volume_throughout_is_refused(store: DatasetStore) -> None:
    """Bars that never have any volume are refused unless the volume is declared absent."""
    table = made_up_bars(10).with_volume(np.zeros(10))

    with pytest.raises(DatasetInvalid, match="fill one unit at a time"):
        save(store, "a", table)
    assert save(store, "a", table, volume="absent").volume == "absent"


def test_no_bars_are_no_dataset(store: DatasetStore) -> None:
    """An empty table is refused."""
    with pytest.raises(DatasetInvalid, match="would hold no bars"):
        save(store, "a", made_up_bars(5).rows(0, 0))


def test_one_bar_needs_a_step(store: DatasetStore) -> None:
    """The interval of a single bar has to be given."""
    with pytest.raises(DatasetInvalid, match="cannot be detected from one row"):
        save(store, "a", made_up_bars(1))
    assert save(store, "a", made_up_bars(1), step_ns=MINUTE_NS).step_ns == MINUTE_NS


def test_a_window_takes_whole_bars(store: DatasetStore) -> None:
    """A window takes the bars that open at or after its start and close at or before its end."""
    save(store, "a", made_up_bars(10))
    dataset = store.load("a")
    part = dataset.window(START_NS + 2 * MINUTE_NS, START_NS + 5 * MINUTE_NS)

    assert part.ts_event.tolist() == [START_NS + minute * MINUTE_NS for minute in (3, 4, 5)]
    assert len(dataset.window(None, None)) == 10
    assert len(dataset.window(START_NS + 1, None)) == 9
    assert len(dataset.window(None, START_NS)) == 0


def test_a_changed_value_on_disk_is_found(store: DatasetStore, tmp_path: Path) -> None:
    """A file of bars with one other value is refused on load, with both fingerprints, and verify says so."""
    info = save(store, "a", made_up_bars(50))
    path = bars_file(tmp_path, "a")
    content = pq.read_table(path)
    close = content.column("close").to_numpy().copy()
    close[7] = np.nextafter(close[7], np.inf)
    index = content.schema.get_field_index("close")
    pq.write_table(content.set_column(index, "close", pa.chunked_array([close])), path)

    with pytest.raises(ArtifactCorrupt, match=rf"fingerprint sha256:[0-9a-f]{{64}}, expected {info.fingerprint}"):
        store.load("a")
    first, second = store.verify("a").problems
    assert "has digest" in first
    assert info.fingerprint in second


def test_every_flipped_byte_of_the_bars_is_found(store: DatasetStore, tmp_path: Path) -> None:
    """A flipped byte anywhere in the file of bars is found by verify, whatever it does to the reader."""
    save(store, "a", made_up_bars(20))
    path = bars_file(tmp_path, "a")
    data = path.read_bytes()
    for position in range(0, len(data), 7):
        path.write_bytes(data[:position] + bytes([data[position] ^ 0x40]) + data[position + 1 :])

        assert not store.verify("a").is_intact, position


def test_bars_of_another_shape_are_corrupt(store: DatasetStore, tmp_path: Path) -> None:
    """A file of bars that lost a column, its types, its order or its end is corrupt and never half read."""
    save(store, "a", made_up_bars(20))
    path = bars_file(tmp_path, "a")
    data = path.read_bytes()
    content = pq.read_table(path)
    holed = [None, *content.column("open").to_pylist()[1:]]
    damage = {
        "low": content.drop_columns(["low"]),
        "open was float": content.cast(content.schema.set(1, pa.field("open", pa.float32()))),
        "with 1 nulls": content.set_column(1, "open", pa.array(holed, pa.float64())),
        "not strictly increasing": content.take(list(range(19, -1, -1))),
    }
    for message, damaged in damage.items():
        pq.write_table(damaged, path)
        with pytest.raises(ArtifactCorrupt, match=message):
            store.load("a")
    for torn in (b"", data[:100], data[:-10]):
        path.write_bytes(torn)
        with pytest.raises(ArtifactCorrupt):
            store.load("a")


def test_missing_bars_are_corrupt_and_not_absent(store: DatasetStore, tmp_path: Path) -> None:
    """A description without its bars is a damaged dataset, which is not the same as none."""
    save(store, "a", made_up_bars(20))
    bars_file(tmp_path, "a").unlink()

    with pytest.raises(ArtifactCorrupt, match="points to it, but it is not there"):
        store.load("a")
    assert not store.verify("a").is_intact


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"schema": "tc.dataset/v1"', '"schema": "tc.dataset/v2"', "its schema was 'tc.dataset/v2'"),
        ('"name": "a"', '"name": "b"', "it describes dataset 'b', expected 'a'"),
        ('"rows": 20', '"rows": "20"', "rows was '20'"),
        ('"volume": "base"', '"volume": "lots"', "volume was 'lots'"),
        ('"parquet_digest": "sha256:', '"parquet_digest": "../../', "parquet_digest was"),
        ('"synthetic": true,', '"synthetic": true, "extra": 1,', "unexpected keyword"),
        ('"synthetic": true,', "", "synthetic"),
        ("{", "[", "it is not a dataset description"),
    ],
)
def test_a_damaged_description_is_corrupt(
    store: DatasetStore, tmp_path: Path, old: str, new: str, message: str
) -> None:
    """A description that is not what was written is refused in words, and verify reports it as a value."""
    save(store, "a", made_up_bars(20))
    path = tmp_path / "runtime/datasets/a/dataset.json"
    path.write_text(path.read_text().replace(old, new, 1))

    with pytest.raises(ArtifactCorrupt, match=message):
        store.info("a")
    assert not store.verify("a").is_intact
    store.remove("a")


def test_a_description_that_lies_about_the_bars_is_found(store: DatasetStore, tmp_path: Path) -> None:
    """Numbers of the description that do not follow from the bars are named by verify."""
    save(store, "a", made_up_bars(20))
    path = tmp_path / "runtime/datasets/a/dataset.json"
    path.write_text(path.read_text().replace('"rows": 20', '"rows": 21'))

    assert store.verify("a").problems == ("dataset.json says rows 21, but the bars have 20",)
