"""Hold the journal's fold against the engine's own final state; what differs has a class and a number."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import Any, Literal

from tc.evidence.fold import Fold
from tc.evidence.position import ZERO, FoldedPosition

SCHEMA = "tc.reconciliation/v1"
PRICE_TOLERANCE = Decimal("1e-9")  # relative: the engine averages prices in binary doubles

Verdict = Literal["matched", "mismatched", "not_reconcilable"]


@dataclass(frozen=True)
class Check:
    """One comparison; numbers as text, `tolerance` in the unit of the numbers."""

    name: str
    break_class: str
    expected: str
    found: str
    difference: str
    tolerance: str
    is_matched: bool


@dataclass(frozen=True)
class Reconciliation:
    """The verdict, every check behind it, and the rounding residue by currency."""

    verdict: Verdict
    reason: str
    fills: int
    checks: list[Check] = field(default_factory=list)
    residue: dict[str, str] = field(default_factory=dict)
    residue_bound: dict[str, str] = field(default_factory=dict)

    @property
    def breaks(self) -> list[Check]:
        """The checks that did not match."""
        return [check for check in self.checks if not check.is_matched]

    def to_json(self) -> dict[str, Any]:
        """Return the document reconciliation_result.json holds."""
        classes: dict[str, int] = {}
        for check in self.breaks:
            classes[check.break_class] = classes.get(check.break_class, 0) + 1
        return {"schema": SCHEMA, **asdict(self), "breaks": classes}


def reconcile(fold: Fold, engine_state: dict[str, Any] | None) -> Reconciliation:
    """Return whether balances, positions and orders of the fold are the engine's.

    A balance may differ by half a unit of its currency a fill, because the engine rounds doubles where the fold rounds
    decimals; that residue is reported. Quantities and orders must be equal.
    """
    if engine_state is None:
        return Reconciliation("not_reconcilable", "the engine's final state was never recorded", len(fold.fills))
    if fold.unvalued:
        reason = f"amounts in {', '.join(fold.unvalued)} have no rate to the account's base currency"
        return Reconciliation("not_reconcilable", reason, len(fold.fills))
    checks: list[Check] = []
    residue: dict[str, str] = {}
    bounds: dict[str, str] = {}
    found_balances = {row["currency"]: Decimal(row["total"]) for row in engine_state["balances"]}
    for currency in sorted(fold.balances.keys() | found_balances.keys()):
        bound = len(fold.fills) * Decimal(1).scaleb(-fold.precision(currency)) / 2
        check = _number(
            f"balance {currency}", "balance", fold.balances.get(currency, ZERO), found_balances.get(currency, ZERO), bound
        )
        checks.append(check)
        residue[currency], bounds[currency] = check.difference, check.tolerance
    checks += _position_checks(fold, engine_state)
    checks += _order_checks(fold, engine_state)
    broken = [check for check in checks if not check.is_matched]
    if broken:
        reason = "; ".join(f"{check.name}: expected {check.expected}, found {check.found}" for check in broken[:5])
        return Reconciliation("mismatched", reason, len(fold.fills), checks, residue, bounds)
    return Reconciliation("matched", f"{len(checks)} checks agree", len(fold.fills), checks, residue, bounds)


def _position_checks(fold: Fold, engine_state: dict[str, Any]) -> list[Check]:
    mine = _sides(fold.positions_open)
    theirs: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for row in engine_state["positions"]:
        theirs.setdefault((row["instrument_id"], row["strategy_id"], _side(Decimal(row["signed_qty"]))), []).append(row)
    checks = []
    for key in sorted(mine.keys() | theirs.keys()):
        name = f"position {' '.join(key)}"
        own = mine.get(key, [])
        rows = theirs.get(key, [])
        quantity = sum((one.quantity for one in own), ZERO)
        found = sum((Decimal(row["signed_qty"]) for row in rows), ZERO)
        checks.append(_number(f"{name} quantity", "position_quantity", quantity, found, ZERO))
        if quantity and found:
            price = sum((one.price_open * one.quantity for one in own), ZERO) / quantity
            price_found = sum((Decimal(row["avg_px_open"]) * Decimal(row["signed_qty"]) for row in rows), ZERO) / found
            checks.append(_number(f"{name} price", "position_price", price, price_found, abs(price) * PRICE_TOLERANCE))
    closed = len(fold.round_trips)
    checks.append(_number("positions closed", "position_count", Decimal(closed), Decimal(engine_state["positions_closed"]), ZERO))
    return checks


def _sides(positions: list[FoldedPosition]) -> dict[tuple[str, str, str], list[FoldedPosition]]:
    sides: dict[tuple[str, str, str], list[FoldedPosition]] = {}
    for one in positions:
        sides.setdefault((one.contract.instrument_id, one.strategy_id, _side(one.quantity)), []).append(one)
    return sides


def _side(quantity: Decimal) -> str:
    return "LONG" if quantity > 0 else "SHORT"


def _order_checks(fold: Fold, engine_state: dict[str, Any]) -> list[Check]:
    orders = engine_state["orders"]
    mine = fold.order_counts()
    checks = [_number("orders", "order_count", Decimal(len(fold.orders)), Decimal(orders["total"]), ZERO)]
    for status in sorted(mine.keys() | orders["by_status"].keys()):
        expected, found = Decimal(mine.get(status, 0)), Decimal(orders["by_status"].get(status, 0))
        checks.append(_number(f"orders {status}", "order_status", expected, found, ZERO))
    overfilled = [name for name, order in fold.orders.items() if order.filled > order.quantity]
    text = ", ".join(overfilled[:5])
    checks.append(Check("orders filled beyond their quantity", "fill_count", "", text, "", "", not overfilled))
    unknown = sorted({fill.client_order_id for fill in fold.fills} - fold.orders.keys())
    checks.append(Check("fills of unknown orders", "fill_count", "", ", ".join(unknown[:5]), "", "", not unknown))
    return checks


def _number(name: str, break_class: str, expected: Decimal, found: Decimal, tolerance: Decimal) -> Check:
    difference = found - expected
    is_matched = difference.is_finite() and abs(difference) <= tolerance
    return Check(name, break_class, *(format(value, "f") for value in (expected, found, difference, tolerance)), is_matched)
