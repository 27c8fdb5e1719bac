"""Hold the journal's fold against the engine's own final state; what differs has a class and a number.

Balances and quantities must be equal to the last unit, because the fold rounds as the engine rounds. What
rounding cost, the residue, is the engine's balance less the unrounded fold; its bound is half a unit a fill.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import asdict, dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

from tc.evidence.double import ZERO, blur, rounded
from tc.evidence.fold import Fold
from tc.evidence.order_state import WORKING
from tc.evidence.position import FoldedPosition
from tc.evidence.three_way import NOT_ASKED, Comparison, EngineView, compare

SCHEMA = "tc.reconciliation/v1"
PRICE_TOLERANCE = Decimal("1e-12")  # relative; averages of many fills in another order of operations
ABSENT = "absent"
_NAMES_MAX = 5
_DIGITS_MAX = 60
_RESIDUE_DECIMALS = 8  # beyond those of the currency; further ones are noise of the division

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

    Whatever the engine's state holds, the answer is a verdict: what is missing, no number or not finite is a
    break.
    """
    if engine_state is None:
        reason = "the engine's final state was never recorded"
        return Reconciliation("not_reconcilable", reason, len(fold.fills))
    if fold.unvalued:
        reason = f"amounts in {', '.join(fold.unvalued)} have no rate to the account's base currency"
        return Reconciliation("not_reconcilable", reason, len(fold.fills))
    if fold.is_live:
        return _reconcile_live(fold, engine_state)
    rounding = list(_rounding_checks(fold, engine_state))
    checks = [
        *_balance_checks(fold, engine_state),
        *rounding,
        *_position_checks(fold, engine_state),
        *_order_checks(fold, engine_state),
        *_fill_checks(fold),
        *_ledger_checks(fold, engine_state),
    ]
    residue = {check.name.removeprefix("rounding "): check.difference for check in rounding}
    bounds = {check.name.removeprefix("rounding "): check.tolerance for check in rounding}
    return _judged(fold, checks, residue, bounds)


def _judged(fold: Fold, checks: list[Check], residue: dict[str, str], bounds: dict[str, str]) -> Reconciliation:
    broken = [check for check in checks if not check.is_matched]
    verdict: Verdict = "mismatched" if broken else "matched"
    reason = f"{len(checks)} checks agree"
    if broken:
        named = broken[:_NAMES_MAX]
        reason = "; ".join(f"{check.name}: expected {check.expected}, found {check.found}" for check in named)
    return Reconciliation(verdict, reason, len(fold.fills), checks, residue, bounds)


def _reconcile_live(fold: Fold, engine_state: dict[str, Any]) -> Reconciliation:
    """Hold the fold against the venue's last word and the engine's; what only a backtest's engine knows is left out."""
    venue = fold.venue_state
    if venue is None or venue.get("moment") != "end":
        reason = "the venue's final books were never seen"
        return Reconciliation("not_reconcilable", reason, len(fold.fills))
    instruments = {name: order.instrument_id for name, order in fold.orders.items()}
    engine = EngineView.of_state(engine_state, instruments)
    checks = [
        Check(each.subject, each.break_class, each.journal, _both(each), "", "", each.is_matched)
        for each in compare(venue, engine, fold)
    ]
    mine = {position.position_id: position for position in fold.positions_open}
    rows = _rows(engine_state, "positions", "position_id")
    for name in sorted(mine.keys() & rows.keys()):
        checks += _one_position(mine[name], rows[name])
    checks += _fill_checks(fold)
    ledger = engine_state.get("ledger")
    breaks = ledger.get("breaks") if isinstance(ledger, dict) else None
    checks.append(_number("ledger rows that differed", "ledger", ZERO, breaks, ZERO))
    return _judged(fold, checks, {}, {})


def _both(each: Comparison) -> str:
    said = {"venue": each.venue, "engine": each.engine}
    heard = {name: text for name, text in said.items() if text != NOT_ASKED}
    if len(set(heard.values())) == 1:
        return next(iter(heard.values()))
    return ", ".join(f"{name} {text}" for name, text in heard.items())


def _balance_checks(fold: Fold, engine_state: dict[str, Any]) -> Iterator[Check]:
    rows = _rows(engine_state, "balances", "currency")
    yield from _names("balances", "balance", fold.balances.keys(), rows.keys())
    yield _text("balances listed", "balance", len(rows), len(_list(engine_state, "balances")))
    for currency in sorted(fold.balances.keys() & rows.keys()):
        row = rows[currency]
        total = fold.balances[currency]
        doubt = fold.account.doubt.get(currency, ZERO)
        yield _number(f"balance {currency}", "balance", total, row.get("total"), doubt)
        locked, free = _decimal(row.get("locked")), _decimal(row.get("free"))
        parts = None if locked is None or free is None else locked + free
        slack = 2 * blur(total, fold.precision(currency)) * len(fold.fills)
        yield _number(f"locked and free {currency}", "balance_parts", total, parts, doubt + slack)


def _rounding_checks(fold: Fold, engine_state: dict[str, Any]) -> Iterator[Check]:
    rows = _rows(engine_state, "balances", "currency")
    for currency in sorted(fold.balances):
        total = rows.get(currency, {}).get("total")
        bound = fold.account.residue_max.get(currency, ZERO)
        exact = rounded(fold.account.exact[currency], fold.precision(currency) + _RESIDUE_DECIMALS)
        yield _number(f"rounding {currency}", "rounding", exact, total, bound)


def _position_checks(fold: Fold, engine_state: dict[str, Any]) -> Iterator[Check]:
    mine = {position.position_id: position for position in fold.positions_open}
    rows = _rows(engine_state, "positions", "position_id")
    held = {name: row for name, row in rows.items() if name in mine or _decimal(row.get("quantity")) != 0}
    yield from _names("positions", "position_count", mine.keys(), held.keys())
    yield _text("positions listed", "position_count", len(rows), len(_list(engine_state, "positions")))
    for name in sorted(mine.keys() & rows.keys()):
        yield from _one_position(mine[name], rows[name])
    closed = Decimal(len(fold.round_trips))
    yield _number("positions closed", "position_count", closed, engine_state.get("positions_closed"), ZERO)


def _one_position(position: FoldedPosition, row: dict[str, Any]) -> Iterator[Check]:
    name, contract = f"position {position.position_id}", position.contract
    quantity = position.quantity
    side = "LONG" if quantity > 0 else "SHORT"
    expected = [contract.instrument_id, position.strategy_id, side, contract.settlement_currency]
    found = [row.get(key) for key in ("instrument_id", "strategy_id", "side", "currency")]
    yield _text(f"{name} identity", "position_identity", expected, found)
    yield _text(f"{name} opened", "position_identity", position.ts_opened, row.get("ts_opened"))
    yield _number(f"{name} quantity", "position_quantity", quantity, row.get("signed_qty"), ZERO)
    yield _number(f"{name} size", "position_quantity", abs(quantity), row.get("quantity"), ZERO)
    price = Decimal(position.average_open)
    slack = abs(price) * PRICE_TOLERANCE
    yield _number(f"{name} price", "position_price", price, row.get("avg_px_open"), slack)
    profit, doubt = position.realized_pnl, position.doubt
    yield _number(f"{name} profit", "position_profit", profit, row.get("realized_pnl"), doubt)


def _order_checks(fold: Fold, engine_state: dict[str, Any]) -> Iterator[Check]:
    orders = engine_state.get("orders")
    orders = orders if isinstance(orders, dict) else {}
    by_status = orders.get("by_status")
    by_status = by_status if isinstance(by_status, dict) else {}
    mine: dict[str, Any] = dict(fold.order_counts())
    if not fold.has_commands:  # then nothing tells which orders a cancel of all had reached
        mine, by_status = _merged(mine), _merged(by_status)
    total = Decimal(fold.orders_total)
    yield _number("orders", "order_count", total, orders.get("total"), ZERO)
    for status in sorted(mine.keys() | by_status.keys()):
        expected = Decimal(mine.get(status, 0))
        yield _number(f"orders {status}", "order_status", expected, by_status.get(status, 0), ZERO)
    known = {name for name in fold.orders_open() if fold.orders[name].status in WORKING}
    found_open = _list(orders, "open")
    yield from _names("open orders", "order_open", known, set(map(str, found_open)))
    yield _text("open orders listed", "order_open", len(known), len(found_open))


def _merged(counts: dict[str, Any]) -> dict[str, Any]:
    """Return counts with all working orders under one name; as they are if one is no number."""
    working = [_decimal(count) for status, count in counts.items() if status in WORKING]
    numbers = [number for number in working if number is not None]
    if len(numbers) < len(working):
        return counts
    others = {status: count for status, count in counts.items() if status not in WORKING}
    return {**others, "working": sum(numbers, ZERO)}


def _fill_checks(fold: Fold) -> Iterator[Check]:
    overfilled = [name for name, order in fold.orders.items() if order.is_overfilled]
    yield _text("orders filled beyond their quantity", "fill", "", _named(overfilled))
    yield _text("fills that are no order's", "fill", "", _named(fold.fills_astray))
    yield _text("fills that occur twice", "fill", "", _named(fold.trades_repeated))


def _ledger_checks(fold: Fold, engine_state: dict[str, Any]) -> Iterator[Check]:
    # The gate held its ledger against the engine's position after every fill; a state that does not say so is a break.
    ledger = engine_state.get("ledger")
    ledger = ledger if isinstance(ledger, dict) else {}
    yield _number("fills compared with the ledger", "ledger", Decimal(len(fold.fills)), ledger.get("compared"), ZERO)
    yield _number("ledger rows that differed", "ledger", ZERO, ledger.get("breaks"), ZERO)


def _number(name: str, break_class: str, expected: Decimal, found: object, tolerance: Decimal) -> Check:
    number = _decimal(found)
    if number is None:
        text = ABSENT if found is None else str(found)
        return Check(name, break_class, _plain(expected), text, "", _plain(tolerance), is_matched=False)
    difference = number - expected
    is_matched = abs(difference) <= tolerance
    shown = [_plain(each) for each in (expected, number, difference, tolerance)]
    return Check(name, break_class, shown[0], shown[1], shown[2], shown[3], is_matched)


def _names(what: str, break_class: str, mine: Set[str], theirs: Set[str]) -> Iterator[Check]:
    yield _text(f"{what} only in the journal", break_class, "", _named(sorted(mine - theirs)))
    yield _text(f"{what} only in the engine", break_class, "", _named(sorted(theirs - mine)))


def _text(name: str, break_class: str, expected: object, found: object) -> Check:
    return Check(name, break_class, str(expected), str(found), "", "", is_matched=expected == found)


def _named(names: list[str]) -> str:
    more = f" and {len(names) - _NAMES_MAX} more" if len(names) > _NAMES_MAX else ""
    return ", ".join(names[:_NAMES_MAX]) + more


def _plain(number: Decimal) -> str:
    return format(number.normalize() if number else ZERO, "f")


def _decimal(value: object) -> Decimal | None:
    """Return a number as Decimal; None for what is no finite number of a sane size."""
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number.adjusted()) <= _DIGITS_MAX else None


def _list(document: dict[str, Any], name: str) -> list[Any]:
    value = document.get(name)
    return value if isinstance(value, list) else []


def _rows(document: dict[str, Any], name: str, key: str) -> dict[str, dict[str, Any]]:
    rows = (row for row in _list(document, name) if isinstance(row, dict))
    return {str(row.get(key, ABSENT)): row for row in rows}
