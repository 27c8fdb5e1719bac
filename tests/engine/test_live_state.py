"""What strategies want kept is kept; what cannot be is the fault of its strategy, and of nobody else."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from nautilus_trader.trading.strategy import Strategy

from tc.engine.live_state import INTERVAL_NS, StateKeeper, has_state
from tc.engine.strategy_source import LoadedStrategy
from tc.errors import StrategyRaised
from tc.model.run_spec import StrategySpec


class Saving(Strategy):
    """A strategy that saves what it was given."""

    def __init__(self, state: Any) -> None:
        super().__init__()
        self.wanted = state

    def on_save(self) -> Any:
        """Return it."""
        return self.wanted


def loaded(name: str, state: Any) -> LoadedStrategy:
    """Return a strategy of the spec that saves this."""
    return LoadedStrategy(StrategySpec(id=name, source="x:X"), Saving(state), {}, frozenset())


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"n": "text"}, "a str as 'n'"), ({"n": None}, "a NoneType as 'n'"), ({1: b"x"}, "the name 1"),
        ([b"x"], "a list"), ({"a": b"x", 2: b"y"}, "the name 2"),
    ],
)  # fmt: skip
def test_what_cannot_be_kept_is_its_strategys_fault(state: Any, said: str) -> None:
    """Whoever returns it keeps nothing and is named; what the others save is written all the same."""
    written, faults = list[bytes](), list[tuple[str, StrategyRaised]]()
    bad = loaded("bad", state)
    keeper = StateKeeper(
        [bad, loaded("good", {"b": b"2", "a": bytearray(b"1")}), loaded("none", {})],
        written.append,
        lambda strategy, fault: faults.append((strategy, fault)),
    )
    keeper.keep(INTERVAL_NS)
    keeper.close()

    assert {strategy for strategy, _ in faults} == {bad.strategy}
    assert f"strategy 'bad' returned {said} from on_save" in str(faults[0][1])
    assert json.loads(written[0])["strategies"] == {"bad": {}, "good": {"a": "MQ==", "b": "Mg=="}, "none": {}}
    assert has_state(written[0])
    assert not keeper.is_asking


def test_a_disk_that_hangs_holds_nobody_and_gets_the_newest() -> None:
    """Nothing waits for what is being written; when it is, the newest follows, and the last is written at the end."""
    written, may_go = list[bytes](), threading.Event()

    def write(document: bytes) -> None:
        assert may_go.wait(5)
        written.append(document)

    one = loaded("one", {"n": b"1"})
    keeper = StateKeeper([one], write, lambda _strategy, _fault: None)
    for turn in range(1, 4):
        one.strategy.wanted = {"n": str(turn).encode()}
        keeper.keep(turn * INTERVAL_NS)
    assert not written
    may_go.set()
    last = keeper.close()

    kept = [json.loads(document)["strategies"]["one"]["n"] for document in (*written, last)]
    assert kept == ["MQ==", "Mw==", "Mw=="]
    keeper = StateKeeper([one], write, lambda _strategy, _fault: None)
    keeper.keep(INTERVAL_NS)
    keeper.close()
    assert written[2:] == [last]  # what did not change is not written again
