"""Read bars out of a Nautilus Parquet catalog."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from nautilus_trader.persistence.catalog import ParquetDataCatalog

from tc.data.bar_table import BarTable
from tc.errors import DatasetInvalid


def read_bars(path: Path, bar_type: str | None) -> tuple[BarTable, int]:
    """Return a catalog's bars of one bar type, and their price precision.

    Without `bar_type` the catalog must hold exactly one; DatasetInvalid where it holds none, several, or not that.
    """
    if not (path / "data").is_dir():
        raise DatasetInvalid(f"{path} is not a Nautilus catalog: expected a folder with data/ in it")
    catalog = ParquetDataCatalog(str(path))
    bars = catalog.bars() if bar_type is None else catalog.bars(bar_types=[bar_type])
    kinds = sorted({str(bar.bar_type) for bar in bars})
    if bar_type is not None:
        bars = [bar for bar in bars if str(bar.bar_type) == bar_type]
    if not bars:
        known = sorted({str(bar.bar_type) for bar in catalog.bars()})
        raise DatasetInvalid(f"{path} holds no bars of {bar_type or 'any type'}; it holds {', '.join(known) or 'none'}")
    if bar_type is None and len(kinds) > 1:
        raise DatasetInvalid(f"{path} holds bars of several types ({', '.join(kinds)}); choose one with --bar-type")
    bars.sort(key=lambda bar: bar.ts_event)
    price, size = bars[0].open.precision, bars[0].volume.precision
    # The engine's own conversion to a double is off by an ulp now and then: rounding gives the value that was written.
    columns = [
        np.round([float(getattr(bar, name)) for bar in bars], size if name == "volume" else price)
        for name in ("open", "high", "low", "close", "volume")
    ]
    return BarTable.of(np.array([bar.ts_event for bar in bars]), *columns), price
