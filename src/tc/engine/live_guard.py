"""What a live run keeps from going wrong: time-bound orders on bars that are faster than time, memory, late orders.

Orders, timers and internal bars run on real time. On bars at a hundred times their speed a timer fires at other bars
than its strategy means, a GTD order lives for other bars, a bar made here holds other ones.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from nautilus_trader.data.messages import SubscribeBars
from nautilus_trader.model.enums import TimeInForce

from tc.engine.strategy_source import LoadedStrategy
from tc.errors import ComponentFault, RefusedError
from tc.model.run_spec import RunSpec

MEMORY_MAX_MB = 2_048
CHECK_NS = 1_000_000_000
_DATA = "DataEngine.execute"
_MEGABYTE = 1 << 20
_STATM = Path("/proc/self/statm")


class LiveGuard:
    """Asked at every turn of the run; `look` raises what is to end it."""

    def __init__(self, spec: RunSpec, strategies: list[LoadedStrategy]) -> None:
        speeds = [feed.speed for feed in spec.data if feed.speed not in (None, 1)]
        self._speed = speeds[0] if speeds else None
        self._strategies = strategies
        safety = spec.safety
        self._memory_max_mb = MEMORY_MAX_MB if safety is None else safety.max_memory_mb or MEMORY_MAX_MB
        self._refusal: RefusedError | None = None
        self._looked_ns = 0
        self._turned_away: set[Any] = set()

    def attach(self, kernel: Any) -> None:
        """See what strategies subscribe to."""
        if self._speed is None:
            return
        execute = kernel.data_engine.execute

        def subscribe(command: Any) -> None:
            if isinstance(command, SubscribeBars) and command.bar_type.is_internally_aggregated():
                self._refuse(f"a strategy subscribed to {command.bar_type}, made here in real time")
            execute(command)

        kernel.msgbus.deregister(_DATA, execute)
        kernel.msgbus.register(_DATA, subscribe)

    def refused(self, order: Any) -> str | None:
        """Return why an order must not leave, or None."""
        if order.client_order_id in self._turned_away:
            return "STOOD_DOWN: the run ended before the order left"
        if self._speed is None or order.time_in_force != TimeInForce.GTD:
            return None
        text = f"order {order.client_order_id} is good till a date, which is real time"
        self._refuse(text)
        return f"REAL_TIME: {text}"

    def turn_away(self, orders: list[Any]) -> None:
        """Let none of the orders leave any more."""
        self._turned_away |= {order.client_order_id for order in orders}

    def look(self, now_ns: int) -> None:
        """Return if the run may go on.

        Raises:
            RefusedError: something runs on real time while the data does not.
            ComponentFault: the node needs more memory than it may have.
        """
        if self._speed is not None:
            for loaded in self._strategies:
                if loaded.strategy.clock.timer_count:
                    self._refuse(f"strategy {loaded.spec.id!r} set a timer, and timers run on real time")
        if self._refusal is not None:
            raise self._refusal
        if now_ns - self._looked_ns < CHECK_NS:
            return
        self._looked_ns = now_ns
        used_mb = resident_bytes() / _MEGABYTE
        if used_mb > self._memory_max_mb:
            raise ComponentFault(
                f"the node holds {used_mb:,.0f} MB, above safety.max_memory_mb {self._memory_max_mb:,}; "
                "see what the strategies keep, or raise it"
            )

    def _refuse(self, what: str) -> None:
        if self._refusal is None:
            self._refusal = RefusedError(
                f"{what}, but the data comes at speed {self._speed}; run it with speed: 1, or on bars alone"
            )


def resident_bytes() -> int:
    """Return how much memory this process holds now."""
    return int(_STATM.read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")
