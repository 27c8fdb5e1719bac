"""What the gate notices besides yes and no: warnings, latches, breaches by fills, overrides that were used up."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tc.engine.gate_ledger import Breach
from tc.engine.gate_rules import GateRules
from tc.engine.recorder import Recorder
from tc.engine.reference import MarketFeed
from tc.engine.standing import Standing
from tc.risk.calendar import day_of
from tc.risk.decision import Allowed
from tc.risk.drawdown import due_latches, is_latched_today
from tc.risk.intent import Intent
from tc.risk.latch import DAILY_LOSS
from tc.risk.reason import Reason
from tc.store.ledger import PositionLedger
from tc.store.ledger_rule import LEDGER_BUSY, Refused

_LATCHED = frozenset({Reason.TOTAL_DRAWDOWN, Reason.DAILY_LOSS})
"""Breaches that close a latch of their own and need no stand-down besides."""


class GateWatch:
    """Journals what happens at the gate, closes latches, and stands the account down where a fill broke a limit."""

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
        self.breaks = 0

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
            self._rules.overrides.pop(override_id, None)
            self._recorder.record("OverrideUsed", {"override_id": override_id, "client_order_id": intent.command_id})

    def close_latch(self, instrument_id: str, latch: str, reason: str) -> None:
        """Close a latch in the ledger of an instrument; it holds until it is released."""
        self._close(self._market.feeds[instrument_id].currency, latch, reason)

    def look_at(self, currency: str) -> None:
        """Close the latches that the marked equity makes due."""
        now_ns = self._clock.timestamp_ns()
        ledger = self._ledgers[currency]
        book = self._rules.seen(ledger.last_seen(now_ns), now_ns)
        for latch in due_latches(book, self._rules.limits, now_ns):
            equity = book.equity
            self._close(currency, latch, f"marked equity {equity.current:f} {currency}, peak {equity.peak:f}")

    def take_breach(self, breach: Breach) -> None:
        """Record what a fill broke, and take no new risk until a named person ends that.

        A busy ledger breaks nothing: the fill is owed, and orders are denied until it is booked.
        """
        if breach.code == LEDGER_BUSY:
            self._recorder.record("BookingOwed", {"code": breach.code, "detail": breach.detail})
            return
        self.breaks += breach.code == Reason.POSITION_BREAK
        self._recorder.record("LimitBreached", {"code": breach.code, "detail": breach.detail})
        if breach.code not in _LATCHED:
            self.stand_down(f"{breach.code}: {breach.detail}", by="gate")

    def stand_down(self, reason: str, by: str, strategy_id: str | None = None) -> None:
        """Take no new risk, in the account or of one strategy, and say so."""
        if self._standing.stand_down(reason, strategy_id):
            self._recorder.record("StoodDown", {"strategy_id": strategy_id, "reason": reason, "by": by})

    def _close(self, currency: str, latch: str, reason: str) -> None:
        now_ns = self._clock.timestamp_ns()
        book = self._ledgers[currency].last_seen(now_ns)
        if is_latched_today(book, now_ns) if latch == DAILY_LOSS else latch in book.latches:
            return
        outcome = self._ledgers[currency].close_latch(f"latch/{latch}/{now_ns}", latch, reason, ts=now_ns)
        if not isinstance(outcome, Refused):
            self._recorder.record("LatchClosed", {"latch": latch, "reason": reason})
