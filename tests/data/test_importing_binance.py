"""Binance kline archives to datasets."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from support.market import MINUTE_NS, START_NS
from tc.data import binance_archive
from tc.data.dataset_info import DatasetInfo
from tc.data.dataset_store import DatasetStore
from tc.data.import_options import ImportOptions
from tc.data.importer import import_binance
from tc.errors import DatasetInvalid, InputError

HEADER = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore"
)


def klines(count: int = 5, *, unit_ns: int = 1_000_000, step_ns: int = MINUTE_NS) -> str:
    rows = []
    for index in range(count):
        opened = (START_NS + index * step_ns) // unit_ns
        closed = opened + step_ns // unit_ns - 1
        rows.append(f"{opened},46216.93,46271.08,46208.37,{46250 + index}.00,40.57574,{closed},1876.5,80,2.1,97.2,0")
    return "\n".join([*rows, ""])


def import_bytes(folder: Path, data: bytes, file: str = "BTCUSDT-1m.csv") -> DatasetInfo:
    path = folder / file
    path.write_bytes(data)
    return import_binance(path, ImportOptions(), DatasetStore(folder), "a", replace=True).info


def zipped(content: bytes) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("BTCUSDT-1m-2022-01.csv", content)
    return sink.getvalue()


@pytest.mark.parametrize("unit_ns", [1_000_000, 1_000], ids=["ms", "us"])
@pytest.mark.parametrize("header", ["", f"{HEADER}\n"], ids=["bare", "header"])
@pytest.mark.parametrize("is_zipped", [False, True], ids=["csv", "zip"])
def test_every_form_of_archive_gives_the_same_bars(tmp_path: Path, unit_ns: int, header: str, is_zipped: bool) -> None:
    """Milliseconds or microseconds, with or without header, packed or not: the same bars, at their closes."""
    data = (header + klines(unit_ns=unit_ns)).encode()
    info = import_bytes(tmp_path, zipped(data) if is_zipped else data)
    table = DatasetStore(tmp_path).load("a").table

    assert table.ts_event.tolist() == [START_NS + minute * MINUTE_NS for minute in range(1, 6)]
    assert table.close.tolist() == [46250.0, 46251.0, 46252.0, 46253.0, 46254.0]
    assert table.volume[0] == 40.57574
    assert (info.step_ns, info.price_precision, info.volume) == (MINUTE_NS, 2, "base")
    assert info.fingerprint == import_bytes(tmp_path, klines().encode()).fingerprint


def test_the_step_comes_from_the_archive(tmp_path: Path) -> None:
    """One bar is enough, and missing bars do not lengthen the step: each row says when it closed."""
    assert import_bytes(tmp_path, klines(1).encode()).step_ns == MINUTE_NS

    lines = klines(9).splitlines()
    info = import_bytes(tmp_path, "\n".join(lines[::3]).encode())

    assert info.step_ns == MINUTE_NS
    assert info.gaps.missing_bars == 4


def test_lines_are_those_of_the_member(tmp_path: Path) -> None:
    """A bad row in a zip is named by its line in the file within."""
    data = f"{HEADER}\n{klines()}".replace("46252.00", "n/a").encode()
    with pytest.raises(DatasetInvalid, match=r"not a number: 1 row \(line 4\)"):
        import_bytes(tmp_path, zipped(data))


def test_an_archive_is_recognized() -> None:
    """Twelve columns that begin with a number or open_time are an archive; other CSV files are not."""
    assert binance_archive.looks_like_klines(klines().encode(), "x")
    assert binance_archive.looks_like_klines(f"{HEADER}\n".encode(), "x")
    assert not binance_archive.looks_like_klines(b"timestamp,open,high,low,close,volume\n", "x")
    assert not binance_archive.looks_like_klines(b"date,a,b,c,d,e,f,g,h,i,j,k\n", "x")


def test_a_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A member that is too large or shrinks too well is refused before a byte of it is unpacked."""
    honest = zipped(klines(2000).encode())
    bomb = zipped(b"1" * 20_000_000)
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda *_: pytest.fail("it was unpacked"))
    with pytest.raises(DatasetInvalid, match="unpacks from"):
        import_bytes(tmp_path, bomb, "a.zip")
    monkeypatch.setattr(binance_archive, "MEMBER_BYTES_MAX", 1000)
    with pytest.raises(DatasetInvalid, match="expected at most 1000"):
        import_bytes(tmp_path, honest, "b.zip")


def test_a_lying_size_does_not_help_a_bomb(tmp_path: Path) -> None:
    """A zip that understates the size of its member yields no more than it claims, and is refused."""
    data = bytearray(zipped(b"1" * 20_000_000))
    size = (20_000_000).to_bytes(4, "little")
    while (at := data.find(size)) >= 0:
        data[at : at + 4] = (60).to_bytes(4, "little")
    with pytest.raises(DatasetInvalid):
        import_bytes(tmp_path, bytes(data), "a.zip")


@pytest.mark.parametrize(
    "options",
    [
        ImportOptions(stamp="open"),
        ImportOptions(zone="UTC"),
        ImportOptions(time_unit="ms"),
        ImportOptions(step_ns=MINUTE_NS),
        ImportOptions(columns={"close": "x"}),
        ImportOptions(volume="quote"),
    ],
)
def test_what_is_known_may_not_be_told(tmp_path: Path, options: ImportOptions) -> None:
    """Options about what every archive has alike are refused instead of ignored."""
    path = tmp_path / "a.csv"
    path.write_text(klines())
    with pytest.raises(InputError, match="a Binance kline archive is known; leave it out"):
        import_binance(path, options, DatasetStore(tmp_path), "a")
