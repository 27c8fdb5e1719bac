"""Build the gate of one kernel from the spec: limits, ledgers, references, and the strategies' first modes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from nautilus_trader.model.enums import OmsType

from tc.engine.endpoint import Endpoints
from tc.engine.gate import Gate
from tc.engine.gate_control import GateControl
from tc.engine.gate_denial import Denier
from tc.engine.gate_ledger import GateLedger
from tc.engine.gate_rules import GateRules
from tc.engine.gate_stop import StopWatch
from tc.engine.gate_watch import GateWatch
from tc.engine.recorder import Recorder
from tc.engine.reference import InstrumentFeed, MarketFeed
from tc.engine.standing import MODES, Member, Standing
from tc.engine.strategy_source import LoadedStrategy
from tc.model.config_value import claimed_instruments
from tc.model.run_spec import RunSpec
from tc.model.value import split_money
from tc.risk.limit_set import limit_set
from tc.risk.marked_equity import MarkedEquity
from tc.store.derived import Statement
from tc.store.ledger import PositionLedger


@dataclass(frozen=True)
class GateParts:
    """A gate that is ready to be attached, and what can be told to it or read from it."""

    gate: Gate
    control: GateControl
    watch: GateWatch
    denier: Denier
    standing: Standing
    rules: GateRules
    ledgers: dict[str, PositionLedger]
    statements: dict[str, Statement]
    books: GateLedger
    stops: StopWatch
    market: MarketFeed

    def ledger_check(self) -> dict[str, int]:
        """Return after how many fills row and position were compared, and how many differed."""
        return {"compared": self.books.compared, "breaks": self.watch.breaks}

    def book_income(self, income: dict[str, Any]) -> None:
        """Book money that came or went without a fill, once, whatever the limits say."""
        ledger = self.ledgers.get(income["currency"])
        amount = Decimal(income["amount"])
        if ledger is None or not amount:
            return
        move = ledger.deposit if amount > 0 else ledger.withdraw
        self.watch.book(lambda: move(f"income/{income['income_id']}", abs(amount), ts=income["ts_event"]))

    def state_documents(self) -> dict[str, bytes]:
        """Return the derived state of the ledgers that the gate keeps itself, by file name.

        Where instruments settle in several currencies, each has files of its own: `portfolio-USDT.json`.
        """
        found: dict[str, bytes] = {}
        for currency, statement in self.statements.items():
            for name, data in self.ledgers[currency].documents(statement).items():
                is_alone = len(self.statements) == 1
                found[name if is_alone else name.replace(".json", f"-{currency}.json")] = data
        return found


def build_gate(
    kernel: Any,
    spec: RunSpec,
    strategies: list[LoadedStrategy],
    recorder: Recorder,
    started_ns: int,
    open_ledgers: Callable[[GateRules], dict[str, PositionLedger]] | None = None,
) -> GateParts:
    """Return the gate of a kernel whose strategies and algorithms were added already.

    `open_ledgers` returns the account's ledgers by settlement currency, asking the rules it is given. Without it the
    gate keeps its own in memory, with the starting balances as capital at `started_ns`.
    """
    limits = limit_set(spec)
    is_netting = spec.venue.oms_type == "NETTING"
    standing = Standing(
        {loaded.strategy.id.value: Member(loaded.spec.id, MODES[loaded.spec.mode]) for loaded in strategies}
    )
    feeds: dict[str, InstrumentFeed] = {}
    market = MarketFeed(feeds)
    rules = GateRules(limits, standing, market, is_netting=is_netting)
    statements: dict[str, Statement] = {}
    held = memory_ledgers(spec, rules, started_ns, statements) if open_ledgers is None else open_ledgers(rules)
    watch = GateWatch(kernel.clock, recorder, rules, standing, held, market)
    books = GateLedger(held, rules, market, kernel.cache, watch.look_at)
    for instrument in spec.instruments:
        feeds[instrument.id] = InstrumentFeed(instrument, limits.price_collar_period_ns, books.mark)
    for currency, ledger in held.items():
        start = ledger.last_seen(started_ns).equity
        rules.equity[currency] = MarkedEquity(start, limits.equity_bounds)
    books.hold_all(started_ns)
    watch.book = books.book
    denier = Denier(kernel, recorder, standing.spec_id)
    hedgers = frozenset(
        loaded.strategy.id.value for loaded in strategies if _is_hedging(loaded.strategy, is_netting=is_netting)
    )
    gate = Gate(kernel, rules, books, market, denier, standing, watch, hedgers)
    known = [instrument.id for instrument in spec.instruments]
    netted = strategies if is_netting else []
    claims = {loaded.strategy.id.value: frozenset(claimed_instruments(loaded.spec.config, known)) for loaded in netted}
    control = GateControl(kernel, recorder, rules, standing, watch, held, claims)
    stops = StopWatch(kernel.cache, recorder, standing)
    gate.on_cancel = stops.note
    return GateParts(gate, control, watch, denier, standing, rules, held, statements, books, stops, market)


def _is_hedging(strategy: Any, *, is_netting: bool) -> bool:
    own = strategy.oms_type
    return not is_netting if own == OmsType.UNSPECIFIED else bool(own == OmsType.HEDGING)


def memory_ledgers(
    spec: RunSpec, rules: GateRules, started_ns: int, statements: dict[str, Statement]
) -> dict[str, PositionLedger]:
    """Return a ledger in memory for every currency that the spec's instruments settle in; each fills a statement."""
    balances = map(split_money, spec.venue.starting_balances)
    capital = {currency: amount for amount, currency in balances}
    ledgers = {}
    for currency in sorted({instrument.pays_in for instrument in spec.instruments}):
        statement = statements[currency] = Statement()
        ledger = PositionLedger.in_memory(
            spec.account or "backtest", currency, rules=rules, ts=started_ns, on_entry=statement.take
        )
        if currency in capital:
            ledger.deposit("starting-balance", capital[currency], ts=started_ns)
        ledgers[currency] = ledger
    return ledgers


def attach_gate(parts: GateParts, endpoints: Endpoints, spec: RunSpec) -> None:
    """Put the gate around the engine."""
    parts.gate.attach(endpoints, [feed.bar_type for feed in spec.data])
