"""What goes wrong in a live run: the engine's faults end it, a strategy's that strategy, the last one's all."""

from __future__ import annotations

import asyncio
from typing import Any

from tc.clock import Clock
from tc.engine.gate_setup import GateParts
from tc.engine.input_tap import ENGINE_RAISED, RAISED, InputTap
from tc.engine.live_ending import Action, action_at, let_go
from tc.engine.live_setting import LiveSetting
from tc.engine.live_state import StateKeeper
from tc.engine.recorder import Recorder
from tc.errors import StrategyRaised, TcError

_ENGINE = ""  # whose fault it is when it is no strategy's


class LiveFaults:
    """Keeps the faults of one start; `wish` is a strategy's word that ends everything, `is_called` asks for a turn."""

    def __init__(self, setting: LiveSetting, clock: Clock) -> None:
        self._setting = setting
        self._clock = clock
        self._faults: dict[str, TcError] = {}
        self.wish = ""
        self.is_called = asyncio.Event()

    def attach(self, kernel: Any, gate: GateParts, recorder: Recorder, tap: InputTap, state: StateKeeper) -> None:
        """Write down what comes from here on, and stand down who raised."""
        self._kernel, self._gate, self._recorder, self._tap, self._state = kernel, gate, recorder, tap, state

    @property
    def is_engine(self) -> bool:
        """Return whether one is no strategy's."""
        return _ENGINE in self._faults

    @property
    def is_fatal(self) -> bool:
        """Return whether nothing can go on: the engine is at fault, or every strategy is."""
        return self.is_engine or len(self._faults) >= len(self._setting.strategies)

    @property
    def first(self) -> TcError | None:
        """Return the engine's, or else the first strategy's."""
        return self._faults.get(_ENGINE) or next(iter(self._faults.values()), None)

    def keep(self, fault: TcError) -> None:
        """Keep what ended the run."""
        self._faults[_ENGINE] = fault

    def on_wish(self, wish: str) -> None:
        """A strategy wants everything to end."""
        self.wish = self.wish or wish
        self.is_called.set()

    def on_engine(self, fault: TcError) -> None:
        """Something of the engine raised; the first is kept."""
        if not self.is_engine:
            self.keep(fault)
            self._tap.note(ENGINE_RAISED, {"message": str(fault)})
        self.is_called.set()

    def on_strategy(self, strategy: Any, fault: StrategyRaised) -> None:
        """A strategy raised: it is stood down at once, and lets go of what it holds where others go on."""
        strategy_id = strategy.id.value
        if strategy_id in self._faults:
            return
        self._faults[strategy_id] = fault
        said = {"strategy_id": strategy_id, "message": str(fault)}
        self._recorder.record(RAISED, said)
        if not self._state.is_asking:
            self._tap.note(RAISED, dict(said))
        self._gate.watch.stand_down(str(fault), by="containment", strategy_id=strategy_id)
        asyncio.get_running_loop().call_soon(self._contain, strategy)

    def action(self, end: str) -> Action:
        """Return what is to happen to orders and positions at this end."""
        given_up = bool(self._setting.give_up)
        return action_at(end, self._setting.spec.safety, is_given_up=given_up, is_faulty=bool(self._faults))

    def _contain(self, strategy: Any) -> None:
        if strategy.is_running and not self.is_fatal:
            strategy.stop()
            going = let_go(self._kernel, self._gate, [strategy], self.action("failed"), self._clock)
            self._letting_go = asyncio.create_task(going)
