"""What a book breaches as it stands, with no order to judge: a fill is a fact and can lead over any limit."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import localcontext

from tc.risk import check
from tc.risk.book import Book
from tc.risk.case import Case, Measure
from tc.risk.decision import Refused, refusal_of
from tc.risk.exact import EXACT, NAN, ZERO
from tc.risk.intent import Intent
from tc.risk.limit_set import LimitSet
from tc.risk.market import Market, Quote

_UNKNOWN = Quote(None, None, None, NAN, inverse=False, currency="")


def standing_breaches(book: Book, market: Market, limits: LimitSet, now_ns: int) -> tuple[Refused, ...]:
    """Return every limit that positions, working orders and equity are over, each once; never raises.

    What cannot be measured is not in it: it blocks the next order instead.
    """
    found: dict[tuple[str, str], Refused] = {}
    with localcontext(EXACT):
        for case in _cases(book, market, limits, now_ns):
            for each in check.CHECKS:
                if not each.stands:
                    continue
                finding = each.measure(case)
                if isinstance(finding, Measure) and finding.is_breach:
                    refusal = refusal_of(each, finding, case.intent)
                    found.setdefault((refusal.code, refusal.detail), refusal)
    return tuple(found.values())


def _cases(book: Book, market: Market, limits: LimitSet, now_ns: int) -> Iterator[Case]:
    # An order for nothing, in each position and working order: what is measured then is the book alone.
    keys = {*book.rows, *((each.instrument_id, each.strategy_id) for each in book.reservations.values())}
    for instrument_id, strategy_id in sorted(keys) or [("", "")]:
        nothing = Intent("", "submit", instrument_id, strategy_id, "BUY", ZERO, ts=now_ns)
        yield Case(book, nothing, market, limits, now_ns, market.get(instrument_id, _UNKNOWN))
