"""The market that the loopback venue makes of bars: as trades for its exchange, as quotes for a backtest."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import numpy as np

from tc.data.dataset_store import Dataset
from tc.engine.bars import QuotePath
from tc.model.venue import Instrument
from tc.venue.bar_path import TICKS, FeedBar, PathTrade, walk
from tc.venue.bar_source import BarSource
from tc.venue.exchange.market import top_of_book
from tc.venue.exchange.symbol import Symbol

_ZERO = Decimal(0)


def market_symbol(instrument: Instrument) -> Symbol:
    """Return the instrument as the venue lists it."""
    return Symbol(
        name=instrument.symbol,
        base=instrument.base_currency,
        tick=instrument.price_increment,
        lot=instrument.size_increment,
        min_quantity=instrument.min_quantity or instrument.size_increment,
        max_quantity=instrument.max_quantity or Decimal(10_000),
        min_notional=_ZERO,
        maker_fee=instrument.maker_fee,
        taker_fee=instrument.taker_fee,
        max_leverage=125,
        maintenance_rate=_ZERO,
        depth_quantity=_ZERO,
    )


def trades_of(source: BarSource) -> Iterator[tuple[FeedBar, int, PathTrade]]:
    """Yield every public trade of every bar, with the bar and its number in it, as the venue's feed plays them."""
    before: Decimal | None = None
    for index in range(len(source)):
        bar = source.bar(index)
        for number, trade in enumerate(walk(bar, source.symbol, TICKS, bar.open if before is None else before)):
            yield bar, number, trade
        before = bar.close


def quote_path(dataset: Dataset, instrument: Instrument) -> QuotePath:
    """Return best bid and ask after every public trade."""
    source = BarSource(dataset, market_symbol(instrument))
    rows = len(source) * TICKS
    ts, bid, ask = np.empty(rows, np.uint64), np.empty(rows), np.empty(rows)
    for row, (bar, number, trade) in enumerate(trades_of(source)):
        ts[row] = bar.open_ns + source.step_ns * (number + 1) // TICKS
        below, above = top_of_book(source.symbol, trade.price, is_buyer_maker=trade.is_buyer_maker)
        bid[row], ask[row] = float(below), float(above)
    return QuotePath(ts, bid, ask)
