"""Nautilus catalogs to datasets, through the command."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from nautilus_trader.model.data import Bar, BarType
from nautilus_trader.persistence.catalog import ParquetDataCatalog

from support.market import made_up_bars
from tc.cli import main as cli_main
from tc.data.bar_table import COLUMNS, BarTable
from tc.data.dataset_store import DatasetStore

MINUTES = "BTCUSDT-PERP.BINANCE-1-MINUTE-LAST-EXTERNAL"
OTHERS = "ETHUSDT-PERP.BINANCE-1-MINUTE-LAST-EXTERNAL"


def write_catalog(folder: Path, *bar_types: str) -> BarTable:
    table = made_up_bars(30)
    catalog = ParquetDataCatalog(str(folder))
    for bar_type in bar_types:
        columns = [getattr(table, name) for name in COLUMNS]
        bars = Bar.from_raw_arrays_to_list(BarType.from_str(bar_type), 1, 3, *columns[1:], columns[0], columns[0])
        catalog.write_data(bars)
    return table


def import_catalog(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str
) -> tuple[int, str, str]:
    command = ["tc", "data", "import", str(tmp_path / "catalog"), "--name", "a", "--json"]
    monkeypatch.setattr(sys, "argv", [*command, "--runtime-root", str(tmp_path), *arguments])
    with pytest.raises(SystemExit) as ended:
        cli_main.main()
    said = capsys.readouterr()
    return int(ended.value.code or 0), said.out, said.err


def test_a_catalog_gives_its_bars(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bars of a catalog come back value by value, with its precision."""
    table = write_catalog(tmp_path / "catalog", MINUTES)
    code, out, err = import_catalog(tmp_path, monkeypatch, capsys)
    assert (code, err) == (0, "")

    back = DatasetStore(tmp_path).load("a").table
    assert json.loads(out)["price_precision"] == 1
    assert json.loads(out)["source"]["kind"] == "catalog"
    assert all(np.array_equal(getattr(back, name), getattr(table, name)) for name in COLUMNS)


def test_one_of_several_kinds_is_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a catalog with several kinds of bars one has to be named."""
    write_catalog(tmp_path / "catalog", MINUTES, OTHERS)
    code, _, err = import_catalog(tmp_path, monkeypatch, capsys)
    assert code == 2
    assert "--bar-type" in err

    code, out, _ = import_catalog(tmp_path, monkeypatch, capsys, "--bar-type", OTHERS)
    assert code == 0, out + _
    assert json.loads(out)["source"]["options"] == {"bar_type": OTHERS}


def test_a_catalog_tells_the_rest_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Options about columns, times or repairs are refused for a catalog instead of ignored."""
    write_catalog(tmp_path / "catalog", MINUTES)
    code, _, err = import_catalog(tmp_path, monkeypatch, capsys, "--stamp", "open")

    assert code == 2
    assert "a Nautilus catalog tells its columns" in err
