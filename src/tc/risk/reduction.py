"""Which orders reduce their strategy's own position: they may pass where new risk may not."""

from __future__ import annotations

from decimal import Decimal

from tc.risk.book import Book
from tc.risk.intent import Intent


def is_reducing(book: Book, intent: Intent) -> bool:
    """Return whether an order can do nothing but reduce the position its strategy holds.

    It is on the other side of the position, and its quantity plus everything the strategy already has working on that
    side fits into the position. Beside a reduce-only order only those count that are not reduce-only themselves: the
    venue cuts the others to what is left, so a stop and a target over the whole position do not keep the strategy from
    closing it, but a plain stop would open a position once it is closed.

    Where the intent says it itself (`reduces`), because the book cannot know, that holds.
    """
    if intent.reduces is not None:
        return intent.reduces
    held = book.quantity(intent.instrument_id, intent.strategy_id)
    if not (held < 0 if intent.side == "BUY" else held > 0):
        return False
    return intent.quantity + _working(book, intent) <= abs(held)


def _working(book: Book, intent: Intent) -> Decimal:
    total = Decimal(0)
    for command_id, order in book.reservations.items():
        if (
            order.side == intent.side
            and order.instrument_id == intent.instrument_id
            and order.strategy_id == intent.strategy_id
            and command_id != intent.replaces
            and not (intent.reduce_only and order.reduce_only)
        ):
            total += order.quantity
    return total
