"""A node's look at the venue's books without node and venue: what the venue says is what the test puts there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from types import SimpleNamespace
from typing import Any

from nautilus_trader.cache.cache import Cache

from support.fake_clock import FakeClock
from tc.engine.gate_control import GateControl
from tc.engine.gate_watch import GateWatch
from tc.engine.live_look import Looker
from tc.engine.standing import Standing
from tc.evidence.fold import Fold

HAPPENS_S = 30.0
VENUE = "BINANCE"


class LookLab:
    """A looker over an empty engine and an empty journal; `positions` is what the venue holds, by symbol.

    `ask` may be replaced; `recorded` are the entries that were journaled. Time goes by `clock` alone.
    """

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.recorded: list[tuple[str, dict[str, Any]]] = []
        self.positions: dict[str, str] = {}
        self.ask: Callable[[], dict[str, Any]] = self.books
        self.standing = Standing({})
        said: Any = SimpleNamespace(record=lambda kind, data: self.recorded.append((kind, data)))
        nothing: Any = None
        watch = GateWatch(nothing, said, nothing, self.standing, {}, nothing)
        self._control = GateControl(nothing, said, nothing, self.standing, watch, {}, {})
        gate: Any = SimpleNamespace(watch=watch, standing=self.standing, book_income=lambda _income: None)
        kernel = SimpleNamespace(cache=Cache())

        async def resync() -> None:
            return

        def ask(_moment: str, _has_income: bool, _traded: Collection[str]) -> dict[str, Any]:
            return self.ask()

        fold = Fold(venue={"venue": VENUE})
        self.looker = Looker(kernel, gate, said, ask, fold, self.clock, lambda _document: None, resync)

    def books(self) -> dict[str, Any]:
        """Return the venue's books."""
        held = {symbol: {"quantity": quantity, "entry_price": "1"} for symbol, quantity in self.positions.items()}
        return {
            "ts": self.clock.now_ns(), "is_still": True, "wallet": {}, "positions": held, "orders": [], "fills": [],
            "income": [],
        }  # fmt: skip

    def of(self, kind: str) -> list[str]:
        """Return the reasons of the entries of a type."""
        return [data.get("reason", "") for name, data in self.recorded if name == kind]

    def resume(self, instrument_id: str | None = None) -> None:
        """Let a named person end the stand-down."""
        assert self._control.resume("looked at it", "ann", instrument_id=instrument_id)

    async def until(self, condition: Callable[[], Any], step_s: float = 0.0) -> None:
        """Return once it holds; time goes by in steps meanwhile."""
        async with asyncio.timeout(HAPPENS_S):
            while not condition():
                self.clock.pass_s(step_s)
                await asyncio.sleep(0.005)
