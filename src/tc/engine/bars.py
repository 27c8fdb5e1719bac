"""From the columns of a dataset to the engine's bars and quotes, by raw arrays: no frame, no row loop in Python."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from nautilus_trader.model.data import Bar, BarType, QuoteTick
from nautilus_trader.model.identifiers import InstrumentId

from tc.data.bar_table import BarTable
from tc.model.run_spec import Feed
from tc.model.venue import Instrument

_ANY_SIZE = 1e9


@dataclass(frozen=True, eq=False)
class QuotePath:
    """Best bid and ask over time, one row a public trade: `ts_event` in UNIX ns (uint64), prices as float64."""

    ts_event: Any
    bid: Any
    ask: Any


@dataclass(frozen=True)
class BarFeed:
    """The bars of one feed: columns, volume converted to base quantity, quotes where orders meet these instead."""

    feed: Feed
    table: BarTable
    volume: Any
    quotes: QuotePath | None = None


def build_quotes(path: QuotePath, instrument: Instrument) -> list[QuoteTick]:
    """Return one quote a row, each of a size that no order uses up."""
    size = np.full(len(path.ts_event), _ANY_SIZE)
    quotes: list[QuoteTick] = QuoteTick.from_raw_arrays_to_list(
        InstrumentId.from_str(instrument.id),
        instrument.price_precision,
        instrument.size_precision,
        _own(path.bid),
        _own(path.ask),
        size,
        size,
        _own(path.ts_event, np.uint64),
        _own(path.ts_event, np.uint64),
    )
    return quotes


def build_bars(table: BarTable, volume: Any, bar_type: str, instrument: Instrument) -> list[Bar]:
    """Return one bar a row, stamped at its close; `volume` holds base quantities, one a row."""
    bars: list[Bar] = Bar.from_raw_arrays_to_list(
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
    return bars


def _own(values: Any, kind: type = np.float64) -> Any:
    # The engine takes writable contiguous buffers only; what is one already is not copied.
    return np.require(values, dtype=kind, requirements=["C", "W"])
