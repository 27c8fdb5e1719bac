"""A live node begins to trade after a look, and never once its run is ending; a shutdown is heard, not carried out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from nautilus_trader.backtest.config import BacktestEngineConfig
from nautilus_trader.backtest.engine import BacktestEngine
from nautilus_trader.common.config import LoggingConfig
from nautilus_trader.trading.strategy import Strategy

from tc.clock import SYSTEM_CLOCK
from tc.engine import live_start
from tc.engine.live_shutdown import ShutdownCalls
from tc.engine.live_start import LiveStart
from tc.errors import ComponentFault, NotStarted


class Node:
    """As much of the engine's node as a start needs: it begins to trade when its kernel says that all is there."""

    def __init__(self) -> None:
        self.kernel = self.trader = self
        self.is_running = self.is_done = False
        self.is_there = asyncio.Event()

    async def _await_portfolio_initialization(self) -> bool:
        await self.is_there.wait()
        return True

    async def run_async(self) -> None:
        """Start, and run."""
        try:
            self.is_running = await self.kernel._await_portfolio_initialization()
            await asyncio.Event().wait()
        finally:
            self.is_done = True


class StubbornNode(Node):
    """One whose start can not be canceled."""

    async def run_async(self) -> None:
        """Start whatever is asked."""
        starting = asyncio.ensure_future(self.kernel._await_portfolio_initialization())
        while not starting.done():
            try:
                await asyncio.shield(starting)
            except asyncio.CancelledError:
                continue
        self.is_running = starting.result()


class Look:
    """A look that takes as long as it may."""

    def __init__(self) -> None:
        self.is_answered = asyncio.Event()

    async def settle(self, _moment: str) -> bool:
        """Return when there is an answer."""
        await self.is_answered.wait()
        return True


def start_of(node: Any, look: Any, on_agreed: Callable[[], None] = lambda: None) -> LiveStart:
    """Return a start of it."""
    return LiveStart(node, look, on_agreed, SYSTEM_CLOCK, "http://venue")


def test_strategies_begin_after_the_first_look() -> None:
    """Nothing trades before the venue was looked at and what follows from it was told."""

    async def run() -> None:
        node, look, told = Node(), Look(), list[bool]()
        start = start_of(node, look, lambda: told.append(node.is_running))
        beginning = asyncio.create_task(start.begin(lambda: True))
        node.is_there.set()
        await asyncio.sleep(0.1)
        assert not beginning.done()
        look.is_answered.set()
        assert await beginning
        assert (told, node.is_running, start.is_over) == ([False], True, False)
        await start.call_off()  # too late: what runs is let go and stopped
        assert not node.is_done

    asyncio.run(run())


@pytest.mark.parametrize("kind", [Node, StubbornNode])
@pytest.mark.parametrize("is_looking", [True, False])
def test_a_start_that_is_called_off_begins_nothing(kind: type[Node], *, is_looking: bool) -> None:
    """Called off while it waits for the engine or for its look, no strategy begins, though both answer in the end."""

    async def run() -> None:
        node, look, told = kind(), Look(), list[bool]()
        start = start_of(node, look, lambda: told.append(True))
        wanted = [True]
        beginning = asyncio.create_task(start.begin(lambda: wanted[0]))
        if is_looking:
            node.is_there.set()
        await asyncio.sleep(0.1)
        wanted[0] = False
        assert not await beginning
        calling_off = asyncio.create_task(start.call_off())
        await asyncio.sleep(0)
        node.is_there.set()
        look.is_answered.set()
        await calling_off
        assert (told, node.is_running, start.is_over) == ([], False, True)

    asyncio.run(run())


def test_a_start_that_takes_too_long_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """A venue that does not answer in time is named."""
    monkeypatch.setattr(live_start, "START_S", 0.1)

    async def run() -> None:
        start = start_of(Node(), Look())
        with pytest.raises(NotStarted, match="http://venue"):
            await start.begin(lambda: True)
        await start.call_off()
        assert start.is_over

    asyncio.run(run())


def test_a_shutdown_is_heard_and_stops_nothing_by_itself() -> None:
    """A strategy's call is its wish, an engine's a fault, and the kernel runs on so that orders can be let go."""
    engine = BacktestEngine(BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True)))
    strategy = Strategy()
    engine.add_strategy(strategy)
    kernel, wishes, faults = engine.kernel, list[str](), list[ComponentFault]()
    calls = ShutdownCalls(kernel, {strategy.id.value}, wishes.append, faults.append)
    calls.attach()
    kernel.start()
    strategy.shutdown_system("enough")
    kernel.exec_engine.shutdown_system("Unexpected exception in event queue processing: ValueError()")
    calls.detach()
    kernel.data_engine.shutdown_system("too late")

    assert wishes == [f"strategy {strategy.id} shut the system down: enough"]
    assert [str(fault).partition(";")[0] for fault in faults] == [
        "ExecEngine: Unexpected exception in event queue processing: ValueError()"
    ]
    assert kernel.is_running()
    assert kernel.trader.is_running
    engine.dispose()
