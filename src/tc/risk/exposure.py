"""What an account is exposed to in each instrument, with everything that may still fill.

A strategy's exposure in an instrument is the larger of what it holds if all its working buys fill and if all its
working sells fill. Exposures are added by absolute value over strategies, so that a long and a short never cancel out;
that is at least the account's net.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from tc.risk.book import Reservation, Row
from tc.risk.exact import ZERO, larger
from tc.risk.intent import Intent
from tc.risk.market import Market

Key = tuple[str, str]


def exposures(
    rows: Mapping[Key, Row], orders: Iterable[Reservation | Intent], market: Market
) -> dict[str, Decimal | None]:
    """Return the exposure by instrument id, in the currency of its quote; None where the reference is unusable."""
    bought: dict[Key, Decimal] = {}
    sold: dict[Key, Decimal] = {}
    unknown: set[str] = set()
    for key, row in rows.items():
        quote = market.get(key[0])
        unit = None if quote is None else quote.reference_value()
        if unit is None:
            unknown.add(key[0])
        else:
            bought[key] = sold[key] = row.quantity * unit
    for order in orders:
        quote = market.get(order.instrument_id)
        value = None if quote is None else quote.order_value(order.quantity, order.price)
        key = (order.instrument_id, order.strategy_id)
        if value is None:
            unknown.add(key[0])
        elif order.side == "BUY":
            bought[key] = bought.get(key, ZERO) + value
            sold.setdefault(key, ZERO)
        else:
            sold[key] = sold.get(key, ZERO) - value
            bought.setdefault(key, ZERO)
    totals: dict[str, Decimal | None] = {}
    for key, high in bought.items():
        totals[key[0]] = (totals.get(key[0]) or ZERO) + larger(abs(high), abs(sold[key]))
    return totals | dict.fromkeys(unknown)
