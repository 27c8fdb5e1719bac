"""How a live run ended, where more than one thing happened to it."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tc.durable import Journal
from tc.engine.live import LiveRun
from tc.engine.live_ending import Holdings
from tc.engine.live_sink import LiveSink
from tc.engine.recorder import Recorder
from tc.errors import NotWritten, StrategyRaised, TcError


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


def test_a_recorder_that_cannot_record_is_a_fault_of_the_journal(tmp_path: Path) -> None:
    """What it cannot hand on is not in the journal: nothing is recorded after it, and the run is told, once."""
    told: list[TcError] = []

    def refuse(*_entry: Any) -> None:
        raise NotWritten(tmp_path, "no room")

    async def record() -> None:
        run = object.__new__(LiveRun)
        run._sink = LiveSink(Journal.create(tmp_path / "j.jsonl"), told.append, refuse)
        clock = SimpleNamespace(timestamp_ns=lambda: 0)
        run._recorder = Recorder(run._sink, clock, full=True, batch=1, on_fault=run._on_recorder_fault)
        for _ in range(2):
            run._recorder.record("Noted", {})
        run._sink.close()

    asyncio.run(record())
    assert [type(fault) for fault in told] == [NotWritten]
