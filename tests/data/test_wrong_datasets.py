"""What a wrong source is told, word for word: the golden file is what an operator reads."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from support.market import csv_text, minute_rows
from tc.data.dataset_store import DatasetStore
from tc.data.finding import RepairChoice
from tc.data.import_options import ImportOptions
from tc.data.importer import import_binance, import_csv, import_parquet
from tc.errors import InputError

GOLDEN = Path(__file__).parent / "golden" / "wrong-datasets.txt"
KLINE = "1640995200000,100.5,101.0,100.0,100.75,1.5,1640995259999,150.0,3,0.5,50.0,0"


CLOSE = ImportOptions(stamp="close")


@dataclass(frozen=True)
class Wrong:
    """A source file and the options it is imported with."""

    content: bytes
    options: ImportOptions = CLOSE
    file: str = "bars.csv"


def rows_with(replacements: dict[int, str], count: int = 12) -> bytes:
    """Return a CSV file of valid bars but for the rows that replace the given lines."""
    rows = minute_rows(count)
    for line, row in replacements.items():
        rows[line - 2] = row
    return csv_text(rows).encode()


def row(minute: int, values: str) -> str:
    return f"2022-01-01 00:{minute:02}:00,{values}"


def columns(header: str, values: str) -> bytes:
    return csv_text([values], header).encode()


def told(**options: Any) -> ImportOptions:
    return ImportOptions(**{"stamp": "close", **options})


def zipped(members: dict[str, bytes]) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return sink.getvalue()


def parquet(**changes: Any) -> bytes:
    content = {
        "timestamp": [1640995200, 1640995260, 1640995320],
        **{name: [100.5, 100.5, 100.5] for name in ("open", "high", "low", "close", "volume")},
        **changes,
    }
    sink = io.BytesIO()
    pq.write_table(pa.table(content), sink)
    return sink.getvalue()


GOOD = rows_with({})
BERLIN = told(zone="Europe/Berlin")
WRONG: dict[str, Wrong] = {
    "not a number": Wrong(rows_with({4: row(3, "100.5,101.0,n/a,100.75,1.5")})),
    "a cell left empty": Wrong(rows_with({4: row(3, "100.5,,100.0,100.75,1.5")})),
    "decimal commas": Wrong(
        csv_text(["2022-01-01;1,5;1,5;1,5;1,5;2", "2022-01-02;1,5;1,5;1,5;1,5;2"], "date;o;h;l;c;v").encode()
    ),
    "NaN and infinity": Wrong(
        rows_with({4: row(3, "NaN,101.0,100.0,100.75,1.5"), 9: row(8, "100.5,inf,100.0,100.75,1.5")})
    ),
    "price of zero": Wrong(rows_with({5: row(4, "100.5,101.0,0,100.75,1.5")})),
    "negative volume": Wrong(rows_with({5: row(4, "100.5,101.0,100.0,100.75,-1.5")})),
    "high below low": Wrong(rows_with({5: row(4, "100.5,100.0,101.0,100.75,1.5")})),
    "close above high": Wrong(rows_with({5: row(4, "100.5,101.0,100.0,101.5,1.5")})),
    "out of order": Wrong(rows_with({5: row(2, "100.5,101.0,100.0,100.75,1.5").replace(":00,", ":30,", 1)})),
    "the same time twice": Wrong(rows_with({5: row(3, "100.5,101.0,100.0,100.75,1.5")})),
    "more than five bad rows": Wrong(
        rows_with({line: row(line - 1, "0,101.0,0,100.75,1.5") for line in range(3, 12)})
    ),
    "several rules at once": Wrong(
        rows_with(
            {
                3: row(2, "x,101.0,100.0,100.75,1.5"),
                4: row(3, "100.5,99.0,100.0,100.75,-1"),
                6: row(1, "1,1,1,1,1"),
            }
        )
    ),
    "too many decimals": Wrong(
        rows_with({5: row(4, "100.5,101.0,100.0,100.755,1.5")}), told(price_precision=2)
    ),
    "float noise": Wrong(rows_with({5: row(4, "100.5,101.0,100.0,100.7500000000001,1.5")})),
    "a row cut short": Wrong(rows_with({6: "2022-01-01 00:05:00,100.5"})),
    "not a time": Wrong(rows_with({6: "2022-02-31 00:05:00,100.5,101.0,100.0,100.75,1.5"})),
    "seconds among milliseconds": Wrong(
        csv_text([f"{ts},1,1,1,1,1" for ts in (1640995200000, 1640995260, 1640995320000)]).encode()
    ),
    "unit not evident": Wrong(csv_text(["20220101,1,1,1,1,1", "20220102,1,1,1,1,1"]).encode()),
    "local time that happened twice": Wrong(
        csv_text([f"2024-10-27 {t},1,1,1,1,1" for t in ("01:30", "02:30", "03:30")]).encode(), BERLIN
    ),
    "local time that never happened": Wrong(
        csv_text([f"2024-03-31 {t},1,1,1,1,1" for t in ("01:30", "02:30", "03:30")]).encode(), BERLIN
    ),
    "zone unknown": Wrong(GOOD, told(zone="Mars/Olympus")),
    "zone for epochs": Wrong(csv_text(["1640995200,1,1,1,1,1"]).encode(), BERLIN),
    "zone for times with an offset": Wrong(csv_text(["2022-01-01T00:00:00Z,1,1,1,1,1"]).encode(), BERLIN),
    "stamp not told": Wrong(GOOD, ImportOptions()),
    "volume empty": Wrong(csv_text([f"{line.rpartition(',')[0]}," for line in minute_rows(5)]).encode()),
    "volume zero": Wrong(csv_text([f"{line.rpartition(',')[0]},0.0" for line in minute_rows(5)]).encode()),
    "volume column missing": Wrong(columns("time,open,high,low,close", "2022-01-01,1,1,1,1")),
    "close column missing": Wrong(columns("time,open,high,low,last,volume", "2022-01-01,1,1,1,1,1")),
    "two time columns": Wrong(columns("Date,Time,open,high,low,close,volume", "2022-01-01,00:00,1,1,1,1,1")),
    "two close columns": Wrong(columns("time,open,high,low,close,Close,volume", "2022-01-01,1,1,1,1,1,1")),
    "told column missing": Wrong(GOOD, told(columns={"close": "Last"})),
    "told role unknown": Wrong(GOOD, told(columns={"price": "close"})),
    "one column for two roles": Wrong(GOOD, told(columns={"high": "open"})),
    "constant missing": Wrong(GOOD, told(volume="constant")),
    "constant not asked for": Wrong(GOOD, told(volume_constant=Decimal(5))),
    "step too large": Wrong(GOOD, told(step_ns=3_600_000_000_000)),
    "one row and no step": Wrong(rows_with({}, count=1)),
    "no header": Wrong("\n".join(minute_rows(3)).encode()),
    "only a header": Wrong(csv_text([]).encode()),
    "empty": Wrong(b""),
    "not text": Wrong(b"timestamp,open,high,low,close,volume\n\xff\xfe,1,1,1,1,1\n"),
    "old line ends": Wrong(GOOD.replace(b"\n", b"\r")),
    "nothing left after repairs": Wrong(
        columns("time,open,high,low,close,volume", "2022-01-01,0,0,0,0,1"),
        told(step_ns=60_000_000_000, repairs=frozenset({RepairChoice.DROP_INVALID})),
    ),
    "a repair that does not help": Wrong(
        rows_with({5: row(3, "100.5,101.0,0,100.75,1.5")}), told(repairs=frozenset({RepairChoice.SORT}))
    ),
    "parquet that is none": Wrong(b"PAR1 but nothing else", file="bars.parquet"),
    "parquet of text prices": Wrong(parquet(close=["1", "x", "3"]), file="bars.parquet"),
    "parquet of truths": Wrong(parquet(close=[True, False, True]), file="bars.parquet"),
    "parquet of broken floats": Wrong(parquet(close=[100.5, 0.1 + 0.2, 100.5]), file="bars.parquet"),
    "parquet with a hole": Wrong(parquet(low=[100.5, None, 100.5]), file="bars.parquet"),
    "klines with a stamp": Wrong(KLINE.encode(), told(), file="klines.csv"),
    "klines of eleven columns": Wrong(KLINE.rpartition(",")[0].encode(), ImportOptions(), file="klines.csv"),
    "klines torn": Wrong(f"{KLINE}\n{KLINE[:40]}\n".encode(), ImportOptions(), file="klines.csv"),
    "zip of two": Wrong(zipped({"a.csv": b"1", "b.csv": b"2"}), ImportOptions(), file="klines.zip"),
    "zip of something else": Wrong(zipped({"a.exe": b"1"}), ImportOptions(), file="klines.zip"),
    "zip bomb": Wrong(zipped({"a.csv": bytes(10_000_000)}), ImportOptions(), file="klines.zip"),
    "zip damaged": Wrong(zipped({"a.csv": b"1" * 99})[:-30], ImportOptions(), file="klines.zip"),
}  # fmt: skip

_IMPORTERS: dict[str, Callable[..., Any]] = {
    "bars.csv": import_csv,
    "bars.parquet": import_parquet,
    "klines.csv": import_binance,
    "klines.zip": import_binance,
}


def message(wrong: Wrong, folder: Path) -> str:
    """Import a wrong source and return what was said; nothing may have been stored."""
    path = folder / wrong.file
    path.write_bytes(wrong.content)
    store = DatasetStore(folder)
    with pytest.raises(InputError) as caught:
        _IMPORTERS[wrong.file](path, wrong.options, store, "a")
    assert store.names() == []
    assert not (folder / "datasets").exists()
    return str(caught.value)


def golden() -> dict[str, str]:
    blocks = GOLDEN.read_text().split("=== ")[1:]
    return {block.partition("\n")[0]: block.partition("\n")[2].rstrip("\n") for block in blocks}


def test_every_wrong_source_is_told_exactly_what_the_golden_file_says(tmp_path: Path) -> None:
    """Every wrong source is refused in the words of the golden file: rule, lines, finding and fix."""
    messages = {name: message(wrong, tmp_path) for name, wrong in WRONG.items()}
    if os.environ.get("TC_GOLDEN") == "write":
        GOLDEN.write_text("\n".join(f"=== {name}\n{text}\n" for name, text in messages.items()))

    assert messages == golden()


def test_there_are_at_least_ten_wrong_sources() -> None:
    """The golden file holds at least ten wrong sources."""
    assert len(golden()) >= 10


def test_the_unchanged_source_is_valid(tmp_path: Path) -> None:
    """The file that wrong ones are made from is itself accepted, so each is refused for its change alone."""
    path = tmp_path / "bars.csv"
    path.write_bytes(GOOD)

    assert import_csv(path, ImportOptions(stamp="close"), DatasetStore(tmp_path), "a").info.rows == 12
