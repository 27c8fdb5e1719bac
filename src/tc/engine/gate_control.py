"""What a running gate can be told, and what it refuses to do: every answer is a value, every change is journaled."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from nautilus_trader.model.identifiers import StrategyId

from tc.engine.gate_rules import GateRules
from tc.engine.gate_watch import GateWatch
from tc.engine.recorder import Recorder
from tc.engine.standing import MODES, Standing
from tc.errors import InputError
from tc.risk.decision import overridable_limits
from tc.risk.override import Override
from tc.risk.permission import State
from tc.risk.reason import Reason
from tc.store.ledger import PositionLedger
from tc.store.ledger_rule import Refused


class GateControl:
    """Modes, stand-down, kill and overrides of one running gate.

    `claims` are the instruments that each strategy trades, where an instrument may have one trading strategy only.
    """

    def __init__(
        self, kernel: Any, recorder: Recorder, rules: GateRules, standing: Standing, watch: GateWatch,
        ledgers: dict[str, PositionLedger], claims: dict[str, frozenset[str]],
    ) -> None:  # fmt: skip
        self._kernel = kernel
        self._recorder = recorder
        self._rules = rules
        self._standing = standing
        self._watch = watch
        self._ledgers = ledgers
        self._claims = claims

    def set_mode(self, strategy_id: str, mode: str, by: str) -> Refused | None:
        """Switch a strategy between `off`, `observe` and `active` while it runs; return why not, or None.

        A strategy that is off is stopped and resumes where it was. Leaving `active` is refused while it has orders or
        a position, unless it was stood down; entering it is refused where another one trades the instrument.
        """
        if mode not in MODES:
            raise InputError(f"the mode was {mode!r}, expected one of {', '.join(MODES)}")
        problem = self._mode_problem(strategy_id, MODES[mode])
        before = self._standing.mode(strategy_id)
        said = {"strategy_id": strategy_id, "before": before.value, "after": mode, "by": by}
        if problem is not None:
            self._recorder.record("ModeChangeRefused", {**said, "code": problem.code, "detail": problem.detail})
            return problem
        if MODES[mode] is before:
            return None
        strategy = next(each for each in self._kernel.trader.strategies() if each.id.value == strategy_id)
        if MODES[mode] is State.OFF and strategy.is_running:
            strategy.stop()  # before it is off, so that it can still let go of what it holds
        self._standing.set_mode(strategy_id, MODES[mode])
        self._recorder.record("ModeChanged", said)
        if before is State.OFF and strategy.is_stopped:
            strategy.resume()
        return None

    def stand_down(
        self, reason: str, by: str, strategy_id: str | None = None, instrument_id: str | None = None
    ) -> None:
        """Take no new risk from now on; positions can be reduced and orders canceled."""
        self._watch.stand_down(reason, by, strategy_id, instrument_id)

    def resume(self, reason: str, by: str, strategy_id: str | None = None, instrument_id: str | None = None) -> bool:
        """End a stand-down by a named person; return whether there was one."""
        ended = self._standing.resume(strategy_id, instrument_id)
        if ended:
            where = {} if instrument_id is None else {"instrument_id": instrument_id}
            said = {"strategy_id": strategy_id, **where, "reason": reason, "by": by, "ended": ended}
            self._recorder.record("StandDownEnded", said)
        return bool(ended)

    def kill(self, reason: str, by: str) -> None:
        """Close the kill latch of this node: strategies may cancel and nothing else."""
        if self._standing.kill(reason):
            self._recorder.record("KillLatchClosed", {"reason": reason, "by": by})

    def give_override(self, override: Override) -> tuple[str, ...]:
        """Let one named order past one limit until it expires; return what is wrong with it, else nothing."""
        problems = override.problems(overridable_limits())
        if override.ts_expires <= self._kernel.clock.timestamp_ns():
            problems = (*problems, "found an expiry that is past; give one in the future")
        name = "OverrideRefused" if problems else "OverrideGiven"
        self._recorder.record(name, {**asdict(override), "problems": list(problems)})
        if not problems:
            self._rules.overrides[override.override_id] = override
        return problems

    def _mode_problem(self, strategy_id: str, mode: State) -> Refused | None:
        standing = self._standing
        if standing.spec_id(strategy_id) is None:
            return Refused(Reason.NOT_LOADED, f"{strategy_id} is no strategy of this run")
        before = standing.mode(strategy_id)
        if before is State.ACTIVE and mode is not State.ACTIVE and not standing.is_stood_down(strategy_id):
            engaged = self._engagements(strategy_id)
            if engaged:
                return Refused(
                    Reason.MODE_ENGAGED, f"{strategy_id} has {engaged}; stand it down, or cancel and close, first"
                )
        if mode is State.ACTIVE and standing.is_killed:
            return Refused(Reason.KILLED, "the kill latch is closed; nothing becomes active in this run")
        if mode is State.ACTIVE and before is not State.ACTIVE:
            return self._claim_problem(strategy_id)
        return None

    def _claim_problem(self, strategy_id: str) -> Refused | None:
        for other, instrument_ids in self._claims.items():
            shared = instrument_ids & self._claims.get(strategy_id, frozenset())
            if other != strategy_id and shared and self._standing.mode(other) is State.ACTIVE:
                detail = f"{', '.join(sorted(shared))} is traded by {other}; run {strategy_id} in a node apart"
                return Refused(Reason.INSTRUMENT_TAKEN, detail)
        return None

    def _engagements(self, strategy_id: str) -> str:
        # By what the engine holds too: with HEDGING two positions can be a row of nothing.
        now_ns, cache = self._kernel.clock.timestamp_ns(), self._kernel.cache
        books = [ledger.last_seen(now_ns) for ledger in self._ledgers.values()]
        orders = sum(one.strategy_id == strategy_id for book in books for one in book.reservations.values())
        rows = {name for book in books for name, owner in book.rows if owner == strategy_id}
        rows |= {each.instrument_id.value for each in cache.positions_open(strategy_id=StrategyId(strategy_id))}
        held = [f"a position in {name}" for name in sorted(rows)]
        return " and ".join(held + ([f"{orders} working orders"] if orders else []))
