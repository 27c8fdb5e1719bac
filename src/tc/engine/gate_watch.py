"""What the gate notices besides yes and no: warnings, latches, breaches by fills, overrides that were used up."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from tc.engine.gate_ledger import Breach
from tc.engine.gate_rules import GateRules
from tc.engine.recorder import Recorder
from tc.engine.reference import MarketFeed
from tc.engine.standing import Standing
from tc.risk.calendar import day_of
from tc.risk.check import CHECKS
from tc.risk.decision import Allowed
from tc.risk.drawdown import drawdown, due_latches, is_closed, is_warning_due
from tc.risk.intent import Intent
from tc.risk.latch import DAILY_LOSS, TOTAL_DRAWDOWN
from tc.risk.marked_equity import DRAWDOWN_WARNING
from tc.risk.reason import Reason
from tc.store.ledger import PositionLedger
from tc.store.ledger_rule import LEDGER_BUSY
from tc.store.ledger_session import Outcome

_LATCHED = frozenset({Reason.TOTAL_DRAWDOWN, Reason.DAILY_LOSS})
"""Breaches that close a latch of their own and need no stand-down besides."""


class GateWatch:
    """Journals what happens at the gate, closes latches, and stands the account down where a fill broke a limit.

    `book` carries out a command that must not be lost, later where the ledger is busy.
    """

    def __init__(
        self, clock: Any, recorder: Recorder, rules: GateRules, standing: Standing,
        ledgers: dict[str, PositionLedger], market: MarketFeed,
    ) -> None:  # fmt: skip
        self._clock = clock
        self._recorder = recorder
        self._rules = rules
        self._standing = standing
        self._ledgers = ledgers
        self._market = market
        self._warned: dict[tuple[str, str, str], tuple[int, Decimal]] = {}
        self._closing: set[str] = set()
        self.breaks = 0
        self.book: Callable[[Callable[[], Outcome]], Outcome] = lambda command: command()

    def note_allowed(self, intent: Intent, allowed: Allowed) -> None:
        """Record limits that an order came close to, each once a day and level, and overrides that it used up."""
        for warning in allowed.warnings:
            key = (warning.limit, intent.strategy_id, intent.instrument_id)
            day, level = self._warned.get(key, (0, Decimal(0)))
            today = day_of(intent.ts)
            if day == today and warning.level <= level:
                continue
            self._warned[key] = (today, warning.level)
            self._recorder.record(
                "LimitWarned",
                {
                    "limit": warning.limit, "level": warning.level, "used": warning.used, "bound": warning.bound,
                    "strategy_id": intent.strategy_id, "instrument_id": intent.instrument_id,
                    "client_order_id": intent.replaces or intent.command_id,
                },
            )  # fmt: skip
        for override_id in allowed.overrides:
            override = self._rules.overrides.pop(override_id, None)
            if override is None:
                continue  # the order used it up before
            order_id = intent.replaces or intent.command_id
            self._rules.excused.setdefault(order_id, []).append(override)
            self._recorder.record("OverrideUsed", {"override_id": override_id, "client_order_id": order_id})

    def close_latch(self, instrument_id: str, latch: str, reason: str) -> None:
        """Close a latch in the ledger of an instrument; it holds until it is released."""
        self._close(self._market.feeds[instrument_id].currency, latch, reason)

    def look_at(self, currency: str) -> None:
        """Close the latches that the marked equity makes due, and warn of its fall once a day."""
        now_ns = self._clock.timestamp_ns()
        ledger = self._ledgers[currency]
        book = self._rules.seen(ledger.last_seen(now_ns), now_ns)
        equity, marked, limits = book.equity, self._rules.equity[currency], self._rules.limits
        due = due_latches(book, limits, now_ns)
        for latch in due:
            self._close(currency, latch, f"marked equity {equity.current:f} {currency}, peak {equity.peak:f}")
        for latch in (TOTAL_DRAWDOWN, DAILY_LOSS):
            if latch in due or is_closed(book, latch, now_ns):
                marked.told(latch)
        if is_warning_due(book, limits):
            marked.told(DRAWDOWN_WARNING)
            used, bound = drawdown(equity), limits.drawdown_warning
            said = {"limit": DRAWDOWN_WARNING, "level": Decimal(1), "used": round(used, 12), "bound": bound}
            self._recorder.record("LimitWarned", said)

    def take_breach(self, breach: Breach) -> None:
        """Record what a fill broke, and take no new risk until a named person ends that.

        A busy ledger breaks nothing: the fill is owed, and orders are denied until it is booked.
        """
        excused = {override.limit for override in self._rules.excused.get(breach.order_id, ())}
        if any(check.reason == breach.code and check.limit in excused for check in CHECKS):
            return  # two people let this order past that limit
        if breach.code == LEDGER_BUSY:
            self._recorder.record("BookingOwed", {"code": breach.code, "detail": breach.detail})
            return
        self.breaks += breach.code == Reason.POSITION_BREAK
        self._recorder.record("LimitBreached", {"code": breach.code, "detail": breach.detail})
        if breach.code not in _LATCHED:
            self.stand_down(f"{breach.code}: {breach.detail}", by="gate")

    def stand_down(
        self, reason: str, by: str, strategy_id: str | None = None, instrument_id: str | None = None
    ) -> None:
        """Take no new risk, in the account, of one strategy or in one instrument, and say so."""
        if self._standing.stand_down(reason, strategy_id, instrument_id):
            where = {} if instrument_id is None else {"instrument_id": instrument_id}
            self._recorder.record("StoodDown", {"strategy_id": strategy_id, **where, "reason": reason, "by": by})

    def _close(self, currency: str, latch: str, reason: str) -> None:
        now_ns = self._clock.timestamp_ns()
        if latch in self._closing or is_closed(self._ledgers[currency].last_seen(now_ns), latch, now_ns):
            return
        self._closing.add(latch)

        def close() -> Outcome:
            outcome = self._ledgers[currency].close_latch(f"latch/{latch}/{now_ns}", latch, reason, ts=now_ns)
            self._closing.discard(latch)
            return outcome

        self.book(close)
        self._recorder.record("LatchClosed", {"latch": latch, "reason": reason})
