"""Bars out of a Nautilus Parquet catalog."""

from __future__ import annotations

import numpy as np
import pytest
from nautilus_trader.persistence.catalog import ParquetDataCatalog

from support.engine_lab import BAR_TYPE, lab_bars, lab_spec
from tc.engine.bars import build_bars
from tc.engine.catalog import read_bars
from tc.errors import DatasetInvalid


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    """Return a catalog with one bar type."""
    path = tmp_path_factory.mktemp("catalog")
    table = lab_bars(300)
    bars = build_bars(table, table.volume, BAR_TYPE, lab_spec().instruments[0])
    ParquetDataCatalog(str(path)).write_data(bars)
    return path


def test_a_catalogs_bars_come_back_value_by_value(catalog) -> None:
    """Every column read from a catalog is what was written to it."""
    table, precision = read_bars(catalog, None)
    assert precision == 1
    expected = lab_bars(300)
    for name in ("ts_event", "open", "high", "low", "close", "volume"):
        np.testing.assert_array_equal(getattr(table, name), getattr(expected, name))


def test_another_bar_type_is_refused_with_what_there_is(catalog) -> None:
    """Asking for bars that the catalog does not hold names those it does."""
    with pytest.raises(DatasetInvalid, match="1-MINUTE-LAST-EXTERNAL"):
        read_bars(catalog, BAR_TYPE.replace("1-MINUTE", "5-MINUTE"))


def test_a_folder_that_is_no_catalog_is_refused(tmp_path) -> None:
    """An ordinary folder is not read as an empty catalog."""
    with pytest.raises(DatasetInvalid, match="is not a Nautilus catalog"):
        read_bars(tmp_path, None)
