"""The start of a live node: strategies begin once venue, engine and journal were held against each other, or never.

A start takes as long as the venue does, and the engine would begin to trade at its end whatever became of the run
meanwhile. So a run that ends before its node trades calls the start off.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from tc.clock import Clock
from tc.engine.live_look import Looker
from tc.errors import NotStarted

POLL_S = 0.02
START_S = 25.0  # three waits of the engine for ten, ten and five seconds; then it would run on without strategies
STOP_S = 10.0


class LiveStart:
    """One start of `node`, which trades at `venue`; `on_agreed` is called after the first look, before any strategy."""

    def __init__(self, node: Any, looker: Looker, on_agreed: Callable[[], None], clock: Clock, venue: str) -> None:
        self._node = node
        self._looker = looker
        self._on_agreed = on_agreed
        self._clock = clock
        self._venue = venue
        self._initialized = node.kernel._await_portfolio_initialization
        self._task: asyncio.Task[None] | None = None
        self._is_called_off = self._has_begun = False

    @property
    def is_over(self) -> bool:
        """Whether the engine does not run any more."""
        return self._task is None or self._task.done()

    async def begin(self, is_wanted: Callable[[], bool]) -> bool:
        """Start the node; return whether strategies have begun, False as soon as nobody wants it any more.

        Raises:
            NotStarted: they have not in time.
        """
        self._node.kernel._await_portfolio_initialization = self._is_agreed
        self._task = asyncio.create_task(self._node.run_async())
        deadline_ns = self._clock.monotonic_ns() + int(START_S * 1e9)
        while not self._node.trader.is_running:
            if not is_wanted():
                return False
            if self.is_over or self._clock.monotonic_ns() > deadline_ns:
                raise NotStarted(
                    f"the node did not start within {START_S:g} s: the venue at {self._venue} did not answer as "
                    "expected; nautilus.jsonl says at what it waited"
                )
            await asyncio.sleep(POLL_S)
        self._has_begun = True
        return True

    async def call_off(self) -> None:
        """Let no strategy begin from now on; return when the engine has given its start up, if it was at it still."""
        self._is_called_off = True
        if self._task is not None and not self._has_begun:
            self._task.cancel()
            await self.ended()

    async def ended(self) -> None:
        """Return when the engine does not run any more, or does not end."""
        if self._task is not None:
            await asyncio.wait([self._task], timeout=STOP_S)

    async def _is_agreed(self) -> bool:
        if not await self._initialized():
            return False
        while not await self._looker.settle("start"):  # unasked, nobody trades: `begin` gives up in time
            await asyncio.sleep(POLL_S)
        if self._is_called_off:
            return False
        self._on_agreed()
        return True
