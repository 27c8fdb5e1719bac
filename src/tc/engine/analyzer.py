"""A portfolio analyzer whose trade record costs O(1) a trade, with the original's results.

NautilusTrader 1.231.0 joins two pandas series for every closed position, which makes a run with many orders quadratic.
Here the trades are gathered in a list and joined when somebody reads them. `tests/engine/test_analyzer.py` compares
every statistic and series with the original's, so a change of the engine that breaks this shows at once.
"""

from __future__ import annotations

from typing import Any

import pandas as pd
from nautilus_trader.analysis.analyzer import PortfolioAnalyzer
from nautilus_trader.core.datetime import unix_nanos_to_dt
from nautilus_trader.portfolio import portfolio as portfolio_module

ORIGINAL_ANALYZER = PortfolioAnalyzer

type _Trade = tuple[str, float, int | None]


class BufferedAnalyzer(PortfolioAnalyzer):
    """The engine's analyzer with buffered trade records; same public results."""

    _position_returns: pd.Series

    def __init__(self) -> None:
        self._buffer: dict[Any, list[_Trade]] = {}
        super().__init__()

    def record_trade(self, position_id: Any, realized_pnl: Any, ts_event: int | None = None) -> None:
        """Record one realized PnL in O(1)."""
        self._buffer.setdefault(realized_pnl.currency, []).append(_trade(position_id, realized_pnl, ts_event))

    @property
    def _recorded_realized_pnls(self) -> dict[Any, pd.Series]:
        self._join()
        return self._joined_pnls

    @_recorded_realized_pnls.setter
    def _recorded_realized_pnls(self, value: dict[Any, pd.Series]) -> None:
        self._buffer.clear()  # assigned by the original's __init__ and reset, always with an empty dict
        self._joined_pnls = value

    @property
    def _recorded_realized_pnl_timestamps(self) -> dict[Any, pd.Series]:
        self._join()
        return self._joined_timestamps

    @_recorded_realized_pnl_timestamps.setter
    def _recorded_realized_pnl_timestamps(self, value: dict[Any, pd.Series]) -> None:
        self._joined_timestamps = value

    def _join(self) -> None:
        for currency, trades in self._buffer.items():
            _extend(self._joined_pnls, self._joined_timestamps, currency, trades)
        self._buffer.clear()

    def add_positions(self, positions: list[Any]) -> None:
        """Add positions as the original does, in one pass instead of one concatenation each."""
        self._positions += positions
        trades: dict[Any, list[_Trade]] = {}
        returns: dict[pd.Timestamp, float] = {}
        for position in positions:
            pnl = position.realized_pnl
            if pnl is None:
                continue
            trades.setdefault(pnl.currency, []).append(_trade(position.id, pnl, position.ts_last))
            if position.ts_closed > 0:
                closed = unix_nanos_to_dt(position.ts_closed)
                returns[closed] = returns.get(closed, 0.0) + float(position.realized_return)
        for currency, records in trades.items():
            _extend(self._realized_pnls, self._realized_pnl_timestamps, currency, records)
        if returns:
            self._add_returns(returns)

    def _add_returns(self, returns: dict[pd.Timestamp, float]) -> None:
        merged = dict(self._position_returns.items()) if len(self._position_returns) else {}
        for timestamp, value in returns.items():
            merged[timestamp] = merged.get(timestamp, 0.0) + value
        index = pd.DatetimeIndex(list(merged))
        self._position_returns = pd.Series(list(merged.values()), index=index, dtype="float64")
        self._sync_returns_alias()


def _trade(position_id: Any, realized_pnl: Any, ts_event: int | None) -> _Trade:
    return position_id.value, realized_pnl.as_double(), None if ts_event is None else int(ts_event)


def _extend(pnls: dict[Any, pd.Series], timestamps: dict[Any, pd.Series], currency: Any, trades: list[_Trade]) -> None:
    ids = [trade[0] for trade in trades]
    for series, position, dtype in ((pnls, 1, "float64"), (timestamps, 2, "object")):
        added = pd.Series([trade[position] for trade in trades], index=ids, dtype=dtype)
        present = series.get(currency)
        series[currency] = added if present is None else pd.concat([present, added])


def install_buffered_analyzer() -> None:
    """Make every portfolio built from now on in this process use the buffered analyzer."""
    portfolio_module.PortfolioAnalyzer = BufferedAnalyzer
