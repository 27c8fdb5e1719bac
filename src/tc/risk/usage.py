"""How much of each limit an account uses as it stands, with no order to judge: for whoever looks at it."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal, localcontext
from typing import NamedTuple

from tc.risk.book import Book
from tc.risk.drawdown import daily_loss, drawdown, weekly_loss
from tc.risk.exact import EXACT, ZERO
from tc.risk.exposure import exposures
from tc.risk.limit_set import UNLIMITED, LimitSet
from tc.risk.market import Market


class Usage(NamedTuple):
    """A limit in use. `used` is None where it cannot be measured; `instrument_id` is empty where it is the account's.

    Losses are fractions, values are in the currency of the book's equity.
    """

    limit: str
    instrument_id: str
    used: Decimal | None
    bound: Decimal


def usages(book: Book, market: Market, limits: LimitSet, now_ns: int) -> list[Usage]:
    """Return every limit that has a bound and that a book uses without an order; never raises."""
    with localcontext(EXACT):
        return [
            each._replace(used=each.used if each.used is not None and each.used.is_finite() else None)
            for each in (*_account(book, market, limits, now_ns), *_instruments(book, market, limits))
            if each.bound != UNLIMITED
        ]


def _account(book: Book, market: Market, limits: LimitSet, now_ns: int) -> Iterator[Usage]:
    if limits.total_drawdown is not None:
        yield Usage("total_drawdown", "", drawdown(book.equity), limits.total_drawdown)
    yield Usage("daily_loss", "", daily_loss(book.equity, now_ns), limits.daily_loss)
    yield Usage("weekly_loss", "", weekly_loss(book.equity, now_ns), limits.weekly_loss)
    if limits.message_rate is not None:
        since = now_ns - limits.message_rate.window_ns
        sent = sum(each.is_message for each in book.recent if each.ts > since)
        yield Usage("message_rate", "", Decimal(sent), limits.message_rate.count)
    working = {(each.instrument_id, each.strategy_id) for each in book.reservations.values() if not each.reduce_only}
    yield Usage("open_positions", "", Decimal(len(book.rows.keys() | working)), limits.open_positions)
    if limits.account_value is not None:
        values = list(_exposed(book, market).values())
        total = None if None in values else sum((each for each in values if each is not None), ZERO)
        yield Usage("position_value.account", "", total, limits.account_value)


def _instruments(book: Book, market: Market, limits: LimitSet) -> Iterator[Usage]:
    exposed = _exposed(book, market)
    for instrument_id, bound in limits.position_value.items():
        if instrument_id in market:
            yield Usage("position_value", instrument_id, exposed.get(instrument_id, ZERO), bound)
    for instrument_id, losses in book.consecutive_losses.items():
        yield Usage("consecutive_losses", instrument_id, Decimal(losses), limits.consecutive_losses)


def _exposed(book: Book, market: Market) -> dict[str, Decimal | None]:
    adding = [order for order in book.reservations.values() if not order.reduce_only]
    return exposures(book.rows, adding, market)
