"""The look at the venue's books: a venue that is not seen stands the run down, however it fails and however often."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from support.fake_clock import FakeClock
from support.look_lab import LookLab
from tc.engine import live_look, live_unseen
from tc.engine.live_unseen import UNSEEN_NS, UnseenWatch
from tc.errors import ComponentFault

UNSEEN_S = 15.0


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let looks and turns come round often: their time is the test's."""
    monkeypatch.setattr(live_look, "INTERVAL_S", 0.01)
    monkeypatch.setattr(live_look, "AGAIN_S", 0.01)
    monkeypatch.setattr(live_unseen, "TURN_S", 0.001)


def looking(steps: Callable[[LookLab], Awaitable[None]]) -> None:
    """Take the steps while the looker looks."""

    async def run() -> None:
        lab = LookLab()
        lab.looker.begin()
        try:
            await steps(lab)
        finally:
            lab.looker.end()

    asyncio.run(run())


def away() -> dict[str, Any]:
    """Answer as a venue that is not there."""
    raise ComponentFault("connection refused")


def test_each_outage_stands_the_run_down_also_after_a_person_resumed() -> None:
    """A second outage, after the first one was over and resumed, is stood down like the first."""

    async def steps(lab: LookLab) -> None:
        for outage in (1, 2):
            lab.ask = away
            await lab.until(lambda number=outage: len(lab.of("StoodDown")) == number, step_s=0.5)
            lab.ask = lab.books
            seen_ns = lab.looker.seen_ns
            await lab.until(lambda before=seen_ns: lab.looker.seen_ns > before, step_s=0.1)
            lab.resume()
        assert all("VENUE_UNSEEN" in reason and "connection refused" in reason for reason in lab.of("StoodDown"))

    looking(steps)


def test_a_venue_that_hangs_is_noticed_without_its_answer() -> None:
    """A look that neither ends nor fails stands the run down after 15 s."""
    is_over = threading.Event()

    def hang() -> dict[str, Any]:
        is_over.wait()
        raise ComponentFault("no answer")

    async def steps(lab: LookLab) -> None:
        lab.ask = hang
        seen_ns = lab.looker.seen_ns
        try:
            await lab.until(lambda: lab.of("StoodDown"), step_s=0.5)
        finally:
            is_over.set()
        assert lab.clock.monotonic_ns() - seen_ns >= UNSEEN_NS

    looking(steps)


def test_who_resumes_while_the_venue_is_unseen_is_stood_down_again() -> None:
    """As with data that is stale: until the books are seen nobody knows what is there."""

    async def steps(lab: LookLab) -> None:
        lab.ask = away
        await lab.until(lambda: lab.of("StoodDown"), step_s=0.5)
        lab.resume()
        await lab.until(lambda: len(lab.of("StoodDown")) == 2, step_s=0.1)

    looking(steps)


def test_unseen_is_counted_to_the_turn_and_a_pause_of_the_node_s_own_is_nobodys() -> None:
    """Nothing before 15 s, at every turn from then on, nothing any more once seen; a stopped node looks first."""
    clock, seen, told = FakeClock(), [1], list[str]()
    watch = UnseenWatch(lambda: seen[-1], told.append, clock)

    def pass_s(seconds: float) -> None:
        for _ in range(round(seconds * 4)):
            clock.pass_s(0.25)
            watch.turn()

    watch.turn()
    pass_s(UNSEEN_S - 0.25)
    assert not told
    pass_s(0.5)
    assert len(told) == 2
    seen.append(2)
    pass_s(UNSEEN_S)
    assert len(told) == 2
    seen.append(3)
    watch.turn()
    clock.pass_s(60.0)
    watch.turn()
    assert len(told) == 2


def test_a_break_that_grows_after_a_person_resumed_stands_the_instrument_down_again() -> None:
    """The venue has 0.01 that nobody knows of; a person resumes; it has five: stood down again, and alerted anew."""
    instrument_id = "BTCUSDT-PERP.BINANCE"

    async def steps(lab: LookLab) -> None:
        lab.positions["BTCUSDT"] = "0.01"
        await lab.until(lambda: lab.of("StoodDown"), step_s=0.1)
        lab.resume(instrument_id)
        lab.positions["BTCUSDT"] = "5"
        await lab.until(lambda: len(lab.of("StoodDown")) == 2, step_s=0.1)
        assert "venue 5," in lab.of("StoodDown")[1]
        kinds = [kind for kind, _ in lab.recorded if kind.startswith("Reconciliation")]
        assert kinds == ["ReconciliationBreak", "ReconciliationBreakEnded", "ReconciliationBreak"]

    looking(steps)
