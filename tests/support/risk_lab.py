"""Books, intents, quotes and limits for tests of pre-trade checks: plain ones, to be changed by keyword."""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from typing import Any

from tc.risk.book import Book, EquityState, Reservation, Row
from tc.risk.calendar import day_of, week_of
from tc.risk.decision import Allowed, Decision, Refused, decide
from tc.risk.intent import Intent
from tc.risk.limit_set import UNLIMITED, LimitSet, Rate
from tc.risk.market import Quote

BTC, ETH = "BTCUSDT-PERP.BINANCE", "ETHUSDT-PERP.BINANCE"
SECOND = 1_000_000_000
NOW = 1_640_995_200 * SECOND + 12 * 3600 * SECOND  # Saturday 2022-01-01, noon UTC


def number(value: int | str | Decimal) -> Decimal:
    """Return the exact number."""
    return Decimal(value)


def limits(**changes: Any) -> LimitSet:
    """Return limits of which everything is unlimited but the changes."""
    wide = dict.fromkeys((BTC, ETH), UNLIMITED)
    never = Rate(UNLIMITED, 0)
    given = LimitSet(
        order_value=wide,
        order_quantity=wide,
        position_value=wide,
        account_value=UNLIMITED,
        message_rate=never,
        total_drawdown=UNLIMITED,
        drawdown_warning=UNLIMITED,
        daily_loss=UNLIMITED,
        weekly_loss=UNLIMITED,
        price_collar=UNLIMITED,
        price_collar_period=UNLIMITED,
        price_collar_period_ns=3600 * SECOND,
        repeated_execution=never,
        duplicate_order=never,
        refuses_self_match=False,
        consecutive_losses=UNLIMITED,
        group_risk=UNLIMITED,
        groups={},
        open_positions=UNLIMITED,
        one_position_per_instrument=False,
    )
    return dataclasses.replace(given, **changes)


def per_instrument(btc: int | str, eth: int | str | None = None) -> dict[str, Decimal]:
    """Return a bound for BTC, and the same or another one for ETH."""
    return {BTC: number(btc), ETH: number(btc if eth is None else eth)}


def equity(current: int | str = 100_000, **changes: Any) -> EquityState:
    """Return a state that has always been at `current`, except for the changes."""
    value = number(current)
    state = EquityState("USDT", value, None, value, value, value, day_of(NOW), week_of(NOW))
    numbers = {
        key: number(each) if isinstance(each, int | str) and key not in ("day", "week", "currency") else each
        for key, each in changes.items()
    }
    return dataclasses.replace(state, **numbers)


def quote(reference: int | str | Decimal | None = 100, **changes: Any) -> Quote:
    """Return a linear USDT quote whose period saw nothing but the reference."""
    price = None if reference is None else number(reference)
    return dataclasses.replace(Quote(price, price, price, number(1), inverse=False, currency="USDT"), **changes)


def intent(side: str = "BUY", quantity: int | str | Decimal = 1, **changes: Any) -> Intent:
    """Return a market order of strategy `one` in BTC."""
    plain = Intent("new", "submit", BTC, "one", side, number(quantity), ts=NOW)  # type: ignore[arg-type]
    if changes.get("price") is not None:
        changes = {"order_type": "LIMIT"} | changes
    return dataclasses.replace(plain, **_exact(changes))


def working(name: str, side: str = "BUY", quantity: int | str | Decimal = 1, **changes: Any) -> Reservation:
    """Return a working market order of strategy `one` in BTC."""
    plain = Reservation(name, BTC, "one", side, number(quantity), None, None, reduce_only=False, ts=NOW)  # type: ignore[arg-type]
    if changes.get("price") is not None:
        changes = {"order_type": "LIMIT"} | changes
    return dataclasses.replace(plain, **_exact(changes))


def row(quantity: int | str | Decimal, **changes: Any) -> Row:
    """Return a position of strategy `one` in BTC that was opened at 100."""
    plain = Row("main", BTC, "one", number(quantity), number(100), None, None, NOW, "", "", "", "opened")
    return dataclasses.replace(plain, **_exact(changes))


def book(*parts: Row | Reservation | Intent, **changes: Any) -> Book:
    """Return a book of these rows, working orders and recent intents."""
    rows = {(each.instrument_id, each.strategy_id): each for each in parts if isinstance(each, Row)}
    reservations = {each.command_id: each for each in parts if isinstance(each, Reservation)}
    recent = tuple(each for each in parts if isinstance(each, Intent))
    return dataclasses.replace(Book("main", rows, reservations, equity(), {}, {}, recent), **changes)


def market(**quotes: Quote) -> dict[str, Quote]:
    """Return a market in which BTC and ETH are at 100; `btc=` and `eth=` change them."""
    return {BTC: quotes.get("btc", quote()), ETH: quotes.get("eth", quote())}


def verdict(decision: Decision) -> str:
    """Return `ALLOWED`, or the code of the refusal."""
    return "ALLOWED" if isinstance(decision, Allowed) else str(decision.code)


def refused(decision: Decision) -> Refused:
    """Return the refusal that the decision must be."""
    assert isinstance(decision, Refused), decision
    return decision


def allowed(decision: Decision) -> Allowed:
    """Return the permission that the decision must be."""
    assert isinstance(decision, Allowed), decision
    return decision


def ask(state: Book, order: Intent, bounds: LimitSet, now_ns: int = NOW, **quotes: Quote) -> Decision:
    """Return the decision at noon in the plain market."""
    return decide(state, order, market(**quotes), bounds, now_ns)


def _exact(changes: dict[str, Any]) -> dict[str, Any]:
    exact = ("quantity", "price", "stop", "price_open", "target")
    return {
        key: number(each) if key in exact and isinstance(each, int | str) else each for key, each in changes.items()
    }
