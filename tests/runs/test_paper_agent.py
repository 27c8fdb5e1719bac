"""The supervisor's side of the kill agent: when one that died is started again, and when it is lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.fake_clock import FakeClock
from tc.runs import paper_agent
from tc.runs.kill_order import KillOrder
from tc.runs.paper_agent import ArmedAgent


class DyingChild:
    """A child that ended as soon as it was started, as an agent does that the venue does not answer."""

    started = 0

    def __init__(self, *_arguments: object, **_words: object) -> None:
        type(self).started += 1
        self.pid = 0

    def exit_code(self) -> int:
        """Return how it ended."""
        return 6

    def next_line(self, _timeout_s: float) -> None:
        """Say nothing."""

    def tell(self, line: bytes) -> None:
        """Hear nothing."""

    def close(self) -> None:
        """Hold nothing."""


@pytest.fixture
def child(monkeypatch: pytest.MonkeyPatch) -> type[DyingChild]:
    """Let every agent die at once."""
    DyingChild.started = 0
    monkeypatch.setattr(paper_agent, "Child", DyingChild)
    return DyingChild


def test_an_agent_that_dies_at_once_is_started_again_later_and_later_and_then_lost(
    tmp_path: Path, child: type[DyingChild]
) -> None:
    """A venue that is away for a moment does not use up its restarts; after the third it is lost, and says why."""
    told: list[dict[str, Any]] = []
    clock = FakeClock()
    order = KillOrder("paper", str(tmp_path), str(tmp_path), "127.0.0.1", 1, "", "", True, 0, {})
    agent = ArmedAgent(order, told.append, clock)
    agent.begin()
    for number, wait_s in enumerate((1, 2, 4), 1):
        assert agent.look()
        clock.pass_s(wait_s, less_ns=1)
        assert agent.look()
        assert (child.started, agent.is_running, agent.is_armed, agent.lost) == (number, False, False, "")
        clock.pass_s(0, less_ns=-1)
        assert agent.look()
        assert child.started == number + 1
    assert not agent.look()
    clock.pass_s(3_600)
    assert not agent.look()
    assert child.started == 4
    assert agent.lost == "its kill agent is lost: it ended with 6 after 3 restarts within an hour"
    assert [fact["event"] for fact in told] == ["agent_dead"] * 3 + ["agent_lost"]


def test_an_agent_that_died_is_not_started_again_once_the_run_is_over(tmp_path: Path, child: type[DyingChild]) -> None:
    """Ended in the pause before its next start, it stays ended, whoever looks at it afterwards."""
    clock = FakeClock()
    order = KillOrder("paper", str(tmp_path), str(tmp_path), "127.0.0.1", 1, "", "", True, 0, {})
    agent = ArmedAgent(order, lambda _fact: None, clock)
    agent.begin()
    agent.look()
    agent.end(is_sealed=False, clock=clock)
    clock.pass_s(3_600)
    agent.look()
    assert child.started == 1
