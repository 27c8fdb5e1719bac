"""The equity of a run at every bar close: cash from the fold, open quantity marked at the close.

For a linear contract equity is `start - fees - sum(q x m x p) + net x m x close`, for an inverse one, in base currency,
`start - fees + sum(q x m / p) - net x m / close`; q is signed. It equals balance plus unrealized profit without averaging.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tc.evidence.fold import Fold
from tc.evidence.position import Contract

if TYPE_CHECKING:
    from numpy.typing import NDArray

type Closes = Mapping[str, tuple["NDArray[np.uint64]", "NDArray[np.float64]"]]


@dataclass(frozen=True, eq=False)
class EquityCurve:
    """Arrays of equal length, one point a bar close.

    `ts_event` is UNIX ns, `equity` in `currency`, `drawdown` a fraction of the peak (0 or below), `gross` the absolute value
    of all open positions in `currency`, `net` the signed value by instrument.
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
    if not fold.venue or not any(len(ts) for ts, _ in closes.values()):
        return "there are no bars to mark positions at"
    currency = _currency(fold)
    if currency is None:
        return f"balances in {', '.join(sorted(fold.balances))} have no common currency to be marked in"
    stamps = np.unique(np.concatenate([ts.astype(np.int64) for ts, _ in closes.values()]))
    equity = np.full(len(stamps), float(fold.starting_balances.get(currency, 0)))
    gross = np.zeros(len(stamps))
    start = float(fold.starting_balances.get(currency, 0))
    for instrument_id, (ts, close) in closes.items():
        contract = fold.instruments[instrument_id]
        marks = _forward(stamps, ts.astype(np.int64), close)
        cash, net = _flows(fold, contract, stamps)
        held = _held_base(fold, contract, currency)
        value = _value(contract, net + held, marks)
        equity += cash + value
        gross += np.abs(_value(contract, net, marks) if not held else value)
        start += float(_value(contract, np.array([held]), marks[:1])[0])
    equity -= _fees(fold, currency, stamps)
    peak = np.maximum.accumulate(np.maximum(equity, start))
    drawdown = np.divide(equity - peak, peak, out=np.zeros_like(equity), where=peak > 0)
    return EquityCurve(currency, stamps, equity, drawdown, gross, start)


def _currency(fold: Fold) -> str | None:
    """Return the one currency everything can be expressed in, if there is one."""
    base = fold.venue["base_currency"]
    if base is not None:
        return None if fold.unvalued else str(base)
    if fold.venue["account_type"] == "CASH":
        quotes = {contract.quote_currency for contract in fold.instruments.values()}
        bases = {contract.base_currency for contract in fold.instruments.values()}
        fits = len(quotes) == 1 and set(fold.balances) <= quotes | bases
        return next(iter(quotes)) if fits else None
    settled = {contract.settlement_currency for contract in fold.instruments.values()} | set(fold.fees)
    if len(settled) == 1 and set(fold.balances) <= settled:
        return next(iter(settled))
    return None


def _forward(stamps: NDArray[np.int64], ts: NDArray[np.int64], close: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the last known close at every stamp; before the first bar, the first close."""
    return close[np.maximum(np.searchsorted(ts, stamps, side="right") - 1, 0)]


def _flows(fold: Fold, contract: Contract, stamps: NDArray[np.int64]) -> tuple[Any, Any]:
    """Return cumulated cash and signed quantity of one instrument at every stamp."""
    fills = [fill for fill in fold.fills if fill.instrument_id == contract.instrument_id]
    times = np.array([fill.ts_event for fill in fills], dtype=np.int64)
    quantity = np.array([float(fill.quantity) for fill in fills])
    price = np.array([float(fill.price) for fill in fills])
    size = quantity * float(contract.multiplier)
    cash = size / price if contract.is_inverse else -size * price
    upto = np.searchsorted(times, stamps, side="right")
    return (np.concatenate([[0.0], np.cumsum(column)])[upto] for column in (cash, quantity))


def _value(contract: Contract, quantity: Any, marks: Any) -> Any:
    size = quantity * float(contract.multiplier)
    return -size / marks if contract.is_inverse else size * marks


def _held_base(fold: Fold, contract: Contract, currency: str) -> float:
    """Return the base currency that a multi-currency CASH account started with."""
    if fold.venue["account_type"] != "CASH" or fold.venue["base_currency"] is not None:
        return 0.0
    return 0.0 if contract.base_currency == currency else float(fold.starting_balances.get(contract.base_currency, 0))


def _fees(fold: Fold, currency: str, stamps: NDArray[np.int64]) -> NDArray[np.float64]:
    paid = [(fill.ts_event, float(fill.commission)) for fill in fold.fills if fill.commission_currency == currency]
    times = np.array([ts for ts, _ in paid], dtype=np.int64)
    total = np.concatenate([[0.0], np.cumsum([amount for _, amount in paid])])
    return total[np.searchsorted(times, stamps, side="right")]
