"""What the ledger asks before it acts, under its lock; and the values it answers with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from tc.risk.book import Book
from tc.risk.intent import Intent
from tc.risk.reason import Reason

LEDGER_BUSY = "LEDGER_BUSY"
COMMAND_REUSED = "COMMAND_REUSED"
NO_POSITION = "NO_POSITION"
REDUCE_BEYOND_SIZE = "REDUCE_BEYOND_SIZE"
OPPOSITE_POSITION = "OPPOSITE_POSITION"
NO_RESERVATION = "NO_RESERVATION"
WITHDRAWAL_BEYOND_CASH = "WITHDRAWAL_BEYOND_CASH"
STOP_BEYOND_PRICE = "STOP_BEYOND_PRICE"
LEDGER_CODES = {
    LEDGER_BUSY: "Another process held the ledger past the deadline; nothing was written.",
    COMMAND_REUSED: "The command_id was used before for something else.",
    NO_POSITION: "The strategy holds no position in the instrument, or it is closed already.",
    REDUCE_BEYOND_SIZE: "The reduction is larger than the position.",
    OPPOSITE_POSITION: "The strategy holds the opposite side: reduce or close that first.",
    NO_RESERVATION: "The reservation is not there: it was filled or released already.",
    WITHDRAWAL_BEYOND_CASH: "More would be withdrawn than the account has.",
    STOP_BEYOND_PRICE: "The stop or the target is on the wrong side of the entry price.",
}
"""The ledger's own reason codes, each with its meaning; limits add theirs (`tc.risk.reason`)."""


class Refused(NamedTuple):
    """A command was refused and nothing was written: a stable code, and the facts in words."""

    code: str
    detail: str


class Judgment(NamedTuple):
    """What the limits say to an intent: a refusal or None, and the names of limits that are near."""

    refusal: Refused | None = None
    warnings: tuple[str, ...] = ()


class Rules(Protocol):
    """The limits that a ledger holds commands against; called under its lock, so what they see is what is."""

    def judge(self, book: Book, intent: Intent) -> Judgment:
        """Return what the limits say to `intent`; must not raise."""

    def breaches(self, book: Book, now_ns: int) -> Sequence[Refused]:
        """Return the limits that the account is over after a fill; must not raise."""


class Unlimited:
    """Refuses nothing."""

    def judge(self, book: Book, intent: Intent) -> Judgment:  # noqa: ARG002 - the protocol's arguments
        """Allow."""
        return Judgment()

    def breaches(self, book: Book, now_ns: int) -> Sequence[Refused]:  # noqa: ARG002 - the protocol's arguments
        """Find nothing."""
        return ()


@dataclass(frozen=True)
class OpenPositionCap:
    """At most `bound` positions open or opening in the account."""

    bound: int

    def judge(self, book: Book, intent: Intent) -> Judgment:
        """Refuse what would open one position more."""
        own = (intent.instrument_id, intent.strategy_id)
        if own in book.rows:
            return Judgment()
        used = self._used(book) + (own not in _opening(book))
        if used > self.bound:
            return Judgment(Refused(Reason.OPEN_POSITIONS, f"{used} positions would be open, at most {self.bound} may"))
        level = next((level for level in (80, 50) if used * 100 >= self.bound * level), None)
        return Judgment() if level is None else Judgment(None, (f"{Reason.OPEN_POSITIONS}:{level}",))

    def breaches(self, book: Book, now_ns: int) -> Sequence[Refused]:  # noqa: ARG002 - the protocol's arguments
        """Find the cap exceeded by open rows."""
        if len(book.rows) <= self.bound:
            return ()
        return (Refused(Reason.OPEN_POSITIONS, f"{len(book.rows)} positions are open, at most {self.bound} may be"),)

    def _used(self, book: Book) -> int:
        return len(book.rows) + len(_opening(book) - book.rows.keys())


def _opening(book: Book) -> set[tuple[str, str]]:
    return {(one.instrument_id, one.strategy_id) for one in book.reservations.values() if not one.reduce_only}
