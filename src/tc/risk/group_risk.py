"""What a group of correlated instruments may lose together, as a fraction of equity.

A position or order risks the difference of its value at the price and at its stop; without a stop, or with one on the
wrong side, its full value. Buys and sells of a group are added up: correlation is no hedge to rely on.
"""

from __future__ import annotations

from decimal import Decimal

from tc.risk.case import Case, Finding, Measure
from tc.risk.exact import NAN, ZERO, larger
from tc.risk.limit_set import UNLIMITED
from tc.risk.market import Quote, is_usable
from tc.risk.reason import Reason


def measure_group_risk(case: Case) -> Finding:
    """Measure what the intent's group has at risk; the bound is a fraction of current equity."""
    if case.limits.group_risk == UNLIMITED:
        return None
    group = case.limits.group_of(case.intent.instrument_id)
    total = ZERO
    for quote_id, quantity, price, stop in _parts(case, group):
        quote = case.market.get(quote_id)
        if quote is None or not is_usable(quote.reference):
            return Reason.REFERENCE_UNUSABLE
        if quote.currency != case.book.equity.currency:
            return Reason.CURRENCY_MISMATCH
        total += at_risk(quote, quantity, price, stop)
    equity = case.book.equity.current
    bound = case.limits.group_risk * equity if equity > 0 else NAN
    return Measure(total, bound, not total <= bound)


def at_risk(quote: Quote, quantity: Decimal, price: Decimal | None, stop: Decimal | None) -> Decimal:
    """Return what a signed quantity loses between its price, else the usable reference, and its stop."""
    assert quote.reference is not None, "callers check the reference"
    unit = quote.unit_value(quote.reference)
    if price is not None:
        unit = larger(unit, quote.unit_value(price))
    size, entry = abs(quantity), quote.reference if price is None else price
    if stop is None or not is_usable(stop):
        return size * unit
    if not (stop < entry if quantity > 0 else stop > entry):
        return size * unit
    return size * larger(
        abs(quote.unit_value(entry) - quote.unit_value(stop)),
        abs(quote.unit_value(quote.reference) - quote.unit_value(stop)),
    )


def _parts(case: Case, group: frozenset[str]) -> list[tuple[str, Decimal, Decimal | None, Decimal | None]]:
    parts: list[tuple[str, Decimal, Decimal | None, Decimal | None]] = [
        (row.instrument_id, row.quantity, None, case.book.stop_of(row))
        for row in case.book.rows.values()
        if row.instrument_id in group
    ]
    for order in case.adding:
        if order.instrument_id in group:
            signed = order.quantity if order.side == "BUY" else -order.quantity
            parts.append((order.instrument_id, signed, order.price, order.stop))
    return parts
