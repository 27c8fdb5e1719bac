"""What the ledger asks under its lock before an order may leave: the state's table first, then every limit."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from tc.engine.standing import Standing
from tc.risk import decision
from tc.risk.book import Book
from tc.risk.decision import Allowed
from tc.risk.intent import Intent
from tc.risk.latch import TOTAL_DRAWDOWN
from tc.risk.limit_set import LimitSet
from tc.risk.marked_equity import MarkedEquity
from tc.risk.market import Market
from tc.risk.override import Override
from tc.risk.permission import Ask, Permission, Route, State, permission
from tc.risk.reason import Reason
from tc.risk.reduction import is_reducing
from tc.risk.standing import standing_breaches
from tc.store.ledger_rule import Judgment, Refused

_FREE = Judgment()


class GateRules:
    """The rules of a running engine's ledgers (`tc.store.ledger_rule.Rules`), one ledger a currency.

    Drawdowns are judged on marked equity, kept in `equity` by currency. `refusal` and `allowed` hold what the last
    judgment found, in full. `excused` keeps the overrides that a working order used up, for when it is judged again.
    `ask` is set by the gate for a command that is not a strategy's own.
    """

    def __init__(self, limits: LimitSet, standing: Standing, market: Market, *, is_netting: bool) -> None:
        self.limits = limits
        self.equity: dict[str, MarkedEquity] = {}
        self.recent: deque[Intent] = deque()
        self.overrides: dict[str, Override] = {}
        self.excused: dict[str, list[Override]] = {}
        self.ask: Ask | None = None
        self.is_reducing_fill = False
        self.refusal: decision.Refused | None = None
        self.allowed = Allowed()
        self._standing = standing
        self._market = market
        self._is_netting = is_netting
        self._owners: dict[str, str] = {}
        self._memory_ns = limits.memory_ns

    def judge(self, book: Book, intent: Intent) -> Judgment:
        """Return what state, ownership and limits say, in this order."""
        refusal, self.allowed = self._judge(self.seen(book, intent.ts), intent)
        self.refusal = refusal
        if refusal is not None:
            return Judgment(Refused(refusal.code, refusal.detail))
        if not self.allowed.warnings:
            return _FREE
        return Judgment(None, tuple(f"{each.limit}:{each.level}" for each in self.allowed.warnings))

    def breaches(self, book: Book, now_ns: int) -> Sequence[Refused]:
        """Return what the account is over as it stands; a fill that reduced a position leads over nothing."""
        if self.is_reducing_fill:
            return ()
        found = standing_breaches(self.seen(book, now_ns), self._market, self.limits, now_ns)
        return [Refused(each.code, each.detail) for each in found]

    def seen(self, book: Book, now_ns: int) -> Book:
        """Return the ledger's book with the market's view of equity and the commands of the last moments."""
        marked = self.equity[book.equity.currency]
        equity = marked.follow(book.equity, now_ns, is_latched=TOTAL_DRAWDOWN in book.latches)
        return replace(book, equity=equity, recent=self.recent, sees_orders=True)

    def remember(self, intent: Intent) -> None:
        """Count a command that left; those older than every window are forgotten."""
        recent = self.recent
        recent.append(intent)
        since = intent.ts - self._memory_ns
        while recent and recent[0].ts <= since:
            recent.popleft()

    def _judge(self, book: Book, intent: Intent) -> tuple[decision.Refused | None, Allowed]:
        state = self._standing.state(intent.strategy_id, intent.instrument_id)
        ask = self.ask
        if state is not State.ACTIVE or ask is not None:
            ask = ask or (Ask.REDUCE if is_reducing(book, intent) else Ask.ADD)
            permitted = permission(state, ask)
            if permitted.route in (Route.DENIED, Route.SHADOW):
                return _state_refusal(permitted, intent), Allowed()
            if permitted.route is Route.PASSED:
                return None, Allowed()
        owner = self._owner_problem(book, intent)
        if owner is not None:
            return owner, Allowed()
        given = list(self.overrides.values()) if self.overrides else ()
        excused = (
            {each.limit for each in self.excused[order_id]} if (order_id := intent.replaces) in self.excused else ()
        )
        decided = decision.decide(book, intent, self._market, self.limits, intent.ts, given, excused)
        return (decided, Allowed()) if isinstance(decided, decision.Refused) else (None, decided)

    def _owner_problem(self, book: Book, intent: Intent) -> decision.Refused | None:
        # With NETTING the venue knows one position an instrument: two strategies in it would trade each other's.
        if not self._is_netting:
            return None
        owner = self._owners.get(intent.instrument_id)
        if owner == intent.strategy_id or (intent.instrument_id, intent.strategy_id) in book.rows:
            return None  # who holds a position there was let in before, perhaps in an earlier run
        if owner is None:  # perhaps from an earlier run: the ledger knows
            held = [strategy_id for instrument_id, strategy_id in book.rows if instrument_id == intent.instrument_id]
            working = [o.strategy_id for o in book.reservations.values() if o.instrument_id == intent.instrument_id]
            owner = next((each for each in (*held, *working) if each != intent.strategy_id), None)
        if owner is not None and _is_engaged(book, intent.instrument_id, owner):
            detail = f"{intent.instrument_id} is {owner}'s for now; run {intent.strategy_id} in a node apart"
            return decision.Refused(Reason.INSTRUMENT_TAKEN, "instruments", None, None, detail)
        self._owners[intent.instrument_id] = intent.strategy_id
        return None


def _is_engaged(book: Book, instrument_id: str, strategy_id: str) -> bool:
    return (instrument_id, strategy_id) in book.rows or any(
        order.instrument_id == instrument_id and order.strategy_id == strategy_id
        for order in book.reservations.values()
    )


def _state_refusal(permitted: Permission, intent: Intent) -> decision.Refused:
    reason = permitted.reason
    assert reason is not None, "what is not let through has a reason"
    return decision.Refused(reason, "state", None, None, f"{intent.strategy_id}: {reason.meaning}")
