"""Real market data, imported as an operator would."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from support.market import BTC_MINUTES, EURUSD_HOURS, shared_data_folder
from tc.clock import parse_utc_ns
from tc.data.dataset_store import DatasetStore
from tc.data.engine_volume import ABSENT_VOLUME, engine_volume
from tc.data.import_options import ImportOptions
from tc.data.importer import import_csv
from tc.errors import DatasetInvalid

pytestmark = pytest.mark.shared_data


def test_bitcoin_minutes(tmp_path: Path) -> None:
    """A month of minutes imports whole: 45,031 bars, volume in USD, stamped at the close, without gaps."""
    store = DatasetStore(tmp_path)
    options = ImportOptions(stamp="close", volume="quote")
    outcome = import_csv(shared_data_folder() / BTC_MINUTES, options, store, "btc")
    info, table = outcome.info, store.load("btc").table

    assert (info.rows, info.step_ns, info.gaps.count) == (45_031, 60_000_000_000, 0)
    assert info.ts_first == parse_utc_ns("2021-12-31T23:01")
    assert info.ts_last == parse_utc_ns("2022-02-01T05:31")
    assert (outcome.findings, outcome.zero_volume_bars) == ((), 0)
    assert table.open[0] == 46319.0
    assert table.volume[0] == 2300413.7295
    base = engine_volume(table, info, "quote", None, 3)
    assert base[0] == round(2300413.7295 / ((46385.0 + 46319.0 + 46377.0) / 3), 3)
    assert np.all(base >= 0)
    assert info.fingerprint == "sha256:cc1c20e86f530e603f650dab6b5675db27e6b2ba6d26889d64299bbb3a974862"


def test_euro_hours(tmp_path: Path) -> None:
    """Five years of hours import with the volume declared absent: stamped at the open, with weekend gaps."""
    store = DatasetStore(tmp_path)
    options = ImportOptions(stamp="open", volume="absent")
    info = import_csv(shared_data_folder() / EURUSD_HOURS, options, store, "eurusd").info
    table = store.load("eurusd").table

    assert (info.rows, info.step_ns, info.price_precision) == (32_246, 3_600_000_000_000, 6)
    assert info.ts_first == parse_utc_ns("2020-10-12T00:00")
    assert info.gaps.count > 250
    assert set(engine_volume(table, info, "absent", None, 0).tolist()) == {float(ABSENT_VOLUME)}
    assert info.fingerprint == "sha256:55558ca80526de8a5ce7deae5d0af7c9337ef1919432ac8950a0b1d193c97e24"


def test_an_empty_volume_is_not_taken_for_zero(tmp_path: Path) -> None:
    """The file whose volume is empty in every row is refused until that is declared."""
    with pytest.raises(DatasetInvalid, match="--volume absent"):
        import_csv(shared_data_folder() / EURUSD_HOURS, ImportOptions(stamp="open"), DatasetStore(tmp_path), "x")
