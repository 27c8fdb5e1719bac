"""The equity of a run at every bar close: what the account holds, and open positions marked at the close.

On a MARGIN account equity is the balance plus the unrealized profit of the open positions,
`net x m x close - cost` for a linear contract and `cost - net x m / close` for an inverse one, where `cost` is their
signed value at their open prices. On a CASH account equity is the balances themselves, the base currencies valued
at the close.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tc.evidence.double import ZERO
from tc.evidence.fold import Fold

if TYPE_CHECKING:
    from numpy.typing import NDArray

    type Stamps = NDArray[np.int64]
    type Values = NDArray[np.float64]

type Closes = Mapping[str, tuple["NDArray[np.uint64]", "NDArray[np.float64]"]]

DRAWDOWN_NOISE = 1e-12  # sums of doubles come back to a peak with an error of this order


@dataclass(frozen=True, eq=False)
class EquityCurve:
    """Arrays of equal length, one point a bar close.

    `ts_event` is UNIX ns, `equity` in `currency`, `drawdown` a fraction of the peak (0 or below; the start counts
    as a peak), `gross` the value in `currency` of all open positions, whatever their side; on a CASH account of
    all that is held in other currencies. `starting_equity` values the starting balances at the first close.
    """

    currency: str
    ts_event: NDArray[np.int64]
    equity: NDArray[np.float64]
    drawdown: NDArray[np.float64]
    gross: NDArray[np.float64]
    starting_equity: float


def equity_curve(fold: Fold, closes: Closes) -> EquityCurve | str:
    """Return the curve, or one sentence why there is none (no bars, several currencies without a rate).

    `closes` maps instrument id to close stamps (ns, increasing) and close prices.
    """
    series = {name: (ts.astype(np.int64), close) for name, (ts, close) in closes.items() if len(ts)}
    if not fold.venue or not series:
        return "there are no bars to mark positions at"
    columns = [ts for ts, _ in series.values()]
    stamps = columns[0] if len(columns) == 1 else np.unique(np.concatenate(columns))
    marks = {name: _forward(stamps, ts, close) for name, (ts, close) in series.items()}
    traded = {name for name, rows in fold.book.exposure.items() if rows}
    if not traded <= marks.keys():
        return f"there are no bars of {', '.join(sorted(traded - marks.keys()))} to mark positions at"
    for currency in _candidates(fold):
        rates = _rates(fold, marks, currency)
        needed = fold.balances.keys() | fold.starting_balances.keys() | _settled(fold, traded)
        if needed <= rates.keys():
            return _curve(fold, currency, stamps, marks, rates)
    return f"balances in {', '.join(sorted(fold.balances))} have no common currency to be marked in"


def _curve(
    fold: Fold, currency: str, stamps: Stamps, marks: dict[str, Values], rates: dict[str, Values]
) -> EquityCurve:
    equity, gross = np.zeros(len(stamps)), np.zeros(len(stamps))
    is_cash = fold.account.account_type == "CASH"
    for name in sorted(fold.balances.keys() | fold.starting_balances.keys()):
        value = _held(fold, name, stamps) * rates[name]
        equity += value
        if is_cash and name != currency:
            gross += np.abs(value)
    if not is_cash:
        for name, close in marks.items():
            contract = fold.instruments[name]
            unrealized, size = _open_value(fold, name, stamps, close)
            equity += unrealized * rates[contract.settlement_currency]
            gross += size * rates[contract.settlement_currency]
    start = sum(float(total) * float(rates[name][0]) for name, total in fold.starting_balances.items())
    peak = np.maximum(np.maximum.accumulate(equity), start)
    drawdown = np.divide(equity - peak, peak, out=np.zeros_like(equity), where=peak > 0)
    drawdown[drawdown > -DRAWDOWN_NOISE] = 0.0
    return EquityCurve(currency, stamps, equity, drawdown, gross, start)


def _candidates(fold: Fold) -> Iterator[str]:
    """Yield the currencies that the curve may be in, the likeliest first."""
    base = fold.account.base_currency
    if base is not None:
        if not fold.unvalued:
            yield base
        return
    seen: dict[str, None] = {}
    for contract in fold.instruments.values():
        is_cash = fold.account.account_type == "CASH"
        seen[contract.quote_currency if is_cash else contract.settlement_currency] = None
    yield from seen


def _settled(fold: Fold, traded: set[str]) -> set[str]:
    if fold.account.account_type == "CASH":
        return set()
    return {fold.instruments[name].settlement_currency for name in traded}


def _rates(fold: Fold, marks: dict[str, Values], currency: str) -> dict[str, Values]:
    """Return what one unit of each currency is worth at every stamp, as far as the marks say."""
    rates = {currency: np.ones(len(next(iter(marks.values()))))}
    for name, close in marks.items():
        contract = fold.instruments[name]
        if contract.quote_currency == currency and not contract.is_inverse:
            rates.setdefault(contract.base_currency, close)
    return rates


def _forward(stamps: Stamps, ts: Stamps, close: Values) -> Values:
    """Return the last known close at every stamp; before the first bar, the first close."""
    return close[np.maximum(np.searchsorted(ts, stamps, side="right") - 1, 0)]


def _held(fold: Fold, currency: str, stamps: Stamps) -> Values:
    """Return a balance at every stamp."""
    start = fold.starting_balances.get(currency, ZERO)
    history = fold.account.history.get(currency, [])
    times = np.array([ts for ts, _ in history], dtype=np.int64)
    totals = np.array([float(start), *(float(total) for _, total in history)])
    return totals[np.searchsorted(times, stamps, side="right")]


def _open_value(fold: Fold, instrument_id: str, stamps: Stamps, close: Values) -> tuple[Values, Values]:
    """Return unrealized profit and gross value of an instrument's positions, in its settlement currency."""
    contract = fold.instruments[instrument_id]
    rows = fold.book.exposure.get(instrument_id, [])
    times = np.array([row.ts_event for row in rows], dtype=np.int64)
    after = np.searchsorted(times, stamps, side="right")
    net, gross, cost = (np.array([0.0, *(float(row[column]) for row in rows)])[after] for column in (1, 2, 3))
    multiplier = float(contract.multiplier)
    if contract.is_inverse:
        return cost - net * multiplier / close, gross * multiplier / close
    return net * multiplier * close - cost, gross * multiplier * close
