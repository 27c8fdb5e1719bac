"""How a live run ended, where more than one thing happened to it."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace

import pytest

from tc.engine.live import LiveRun
from tc.engine.live_ending import Holdings
from tc.errors import StrategyRaised, TcBug


@pytest.mark.parametrize(("end", "told"), [("killed", "killed"), ("stopped", "failed"), ("completed", "failed")])
def test_a_kill_stays_one_though_a_strategy_failed_before(end: str, told: str) -> None:
    """A fault of a strategy makes an ordinary end a failure; a kill is sealed as such, and only once it is flat."""
    run = object.__new__(LiveRun)
    fault = StrategyRaised("strategy 'one' raised")
    run._faults = SimpleNamespace(first=fault, is_engine=False)  # type: ignore[assignment]
    run._gate = SimpleNamespace(state_documents=dict)  # type: ignore[assignment]
    run._setting = SimpleNamespace(bars_total=None)  # type: ignore[assignment]
    run._recorder = SimpleNamespace(counts=Counter())  # type: ignore[assignment]
    run._bars, run._is_confirmed = 0, False
    outcome = run._outcome(end, "its reason", Holdings((), ()), b'{"strategies": {}}')  # type: ignore[arg-type]
    assert outcome.end == told
    assert "its reason" in outcome.reason


def test_a_recorder_that_cannot_record_is_a_fault_of_the_journal() -> None:
    """What it cannot hand on is not in the journal: nothing leaves after it, and the run fails."""
    run, told = object.__new__(LiveRun), list[object]()
    fault = TcBug("no such entry")
    run._recorder = SimpleNamespace(fault=fault)  # type: ignore[assignment]
    run._sink = SimpleNamespace(fail=told.append)  # type: ignore[assignment]
    run._on_recorder_fault()
    assert told == [fault]
