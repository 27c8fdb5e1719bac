"""How long a supervisor waits for a kill of its run: as long as its agent tries, and not for ever for nobody."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from support.fake_clock import FakeClock
from tc.runs.paper_kill import KILL_S, RunKill
from tc.store.kill_latch import CONFIRMED, TAKEN, KillLatch
from tc.store.roots import Roots

HOUR_S = 3_600.0


@dataclass
class KnownAgent:
    """An agent of which only what it said counts."""

    is_told: bool
    is_flat: bool = False
    lost: str = ""

    def look(self) -> bool:
        """Say nothing new."""
        return not self.lost


class Desk:
    """A run that was killed, and its supervisor's wait."""

    def __init__(self, folder: Path, agent: KnownAgent | None) -> None:
        self.clock = FakeClock()
        self.roots = Roots.of(folder / "artifacts", folder / "runtime")
        self.latch = KillLatch.of_run(self.roots, "paper")
        self.latch.close("Ada", "drill", self.clock)
        self.kill = RunKill(self.roots, "paper", self.clock)
        self.kill.agent = agent  # type: ignore[assignment]
        self.confirmed_after_s: float | None = None
        self._began_ns = self.clock.monotonic_ns()

    @property
    def waited_s(self) -> float:
        """How long it waited."""
        return (self.clock.monotonic_ns() - self._began_ns) / 1e9

    def wait(self, *, stop_after_s: float = HOUR_S) -> float:
        """Wait, and return for how long; an hour is for ever."""

        def keep() -> None:
            self.clock.pass_s(1.0)
            assert self.waited_s < 2 * HOUR_S, "it waits for ever"
            if self.confirmed_after_s is not None and self.waited_s > self.confirmed_after_s:
                self.latch.note(CONFIRMED, {}, self.clock)

        self.kill.wait(lambda: self.waited_s > stop_after_s, keep)
        return self.waited_s


def test_an_agent_that_is_at_it_is_waited_for_until_it_has_done_it(tmp_path: Path) -> None:
    """Half an hour of a venue that is away is no reason to go on without it."""
    desk = Desk(tmp_path, KnownAgent(is_told=True))
    desk.latch.note(TAKEN, {}, desk.clock)
    desk.confirmed_after_s = HOUR_S / 2
    assert desk.wait() == pytest.approx(HOUR_S / 2, abs=5)
    assert desk.kill.is_confirmed()


def test_who_asks_for_a_stop_does_not_wait_for_an_agent_for_ever(tmp_path: Path) -> None:
    """The agent goes on by itself; a stop that came before the kill leaves it its three minutes."""
    assert Desk(tmp_path / "1", KnownAgent(is_told=True)).wait(stop_after_s=600) == pytest.approx(600, abs=5)
    assert Desk(tmp_path / "2", KnownAgent(is_told=True)).wait(stop_after_s=0) == pytest.approx(KILL_S, abs=5)


@pytest.mark.parametrize("agent", [None, KnownAgent(is_told=False), KnownAgent(is_told=True, lost="it is lost")])
def test_nobody_is_not_waited_for_for_ever(tmp_path: Path, agent: KnownAgent | None) -> None:
    """No agent, one that knows of nothing to kill, one that is lost: somebody else has three minutes."""
    desk = Desk(tmp_path, agent)
    assert desk.wait() == pytest.approx(KILL_S, abs=5)
    assert desk.kill.is_given()
    assert not desk.kill.is_confirmed()


def test_a_history_that_cannot_be_read_confirms_nothing(tmp_path: Path) -> None:
    """The latch holds, and so does the doubt; the agent's own word needs no disk."""
    desk = Desk(tmp_path, None)
    desk.latch.note(CONFIRMED, {}, desk.clock)
    assert desk.kill.is_confirmed()
    desk.latch.history_path.write_bytes(b"nonsense\n" * 3)
    assert not desk.kill.is_confirmed()
    desk.kill.agent = KnownAgent(is_told=True, is_flat=True)  # type: ignore[assignment]
    assert desk.kill.is_confirmed()
