"""From the columns of a dataset to the engine's bars, through raw arrays: no frame, no row loop in Python."""

from __future__ import annotations

from typing import Any

import numpy as np
from nautilus_trader.model.data import Bar, BarType

from tc.data.bar_table import BarTable
from tc.model.venue import Instrument


def build_bars(table: BarTable, volume: Any, bar_type: str, instrument: Instrument) -> list[Bar]:
    """Return one bar a row, stamped at its close; `volume` holds base quantities, one a row."""
    return Bar.from_raw_arrays_to_list(  # type: ignore[no-any-return]
        BarType.from_str(bar_type),
        instrument.price_precision,
        instrument.size_precision,
        _own(table.open),
        _own(table.high),
        _own(table.low),
        _own(table.close),
        _own(volume),
        _own(table.ts_event, np.uint64),
        _own(table.ts_event, np.uint64),
    )


def _own(values: Any, kind: type = np.float64) -> Any:
    # The engine takes writable contiguous buffers only; what is one already is not copied.
    return np.require(values, dtype=kind, requirements=["C", "W"])
