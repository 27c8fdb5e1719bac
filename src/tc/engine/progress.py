"""What a running engine says about itself, and how it is asked to stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tc.clock import Clock

POLL_INTERVAL_S = 0.05
_STEP_BARS_MAX = 65_536


@dataclass(frozen=True)
class Progress:
    """A running backtest at one moment."""

    bars: int
    bars_total: int
    ts_event: int
    counts: dict[str, int] = field(default_factory=dict)


class BarTap:
    """Sees every delivered bar: counts it, reports progress now and then, and stops the engine on request.

    It runs inside `engine.run()`, so the engine is driven exactly as a plain script drives it: no chunk boundaries, no
    timers moved. The distance between two looks at the clock adapts to the speed of the run.
    """

    def __init__(
        self,
        clock: Clock,
        bars_total: int,
        *,
        on_progress: Callable[[Progress], None],
        should_stop: Callable[[], bool],
        stop_engine: Callable[[], None],
        counts: dict[str, int],
        bars_max: int | None,
    ) -> None:
        self.bars = 0
        self.is_stopped = False
        self._total = bars_total
        self._clock = clock
        self._on_progress = on_progress
        self._should_stop = should_stop
        self._stop_engine = stop_engine
        self._counts = counts
        self._bars_max = bars_max
        self._step = 1
        self._next = 1 if bars_max is None else min(1, bars_max)
        self._polled_ns = clock.monotonic_ns()

    def on_bar(self, bar: Any) -> None:
        """Count a bar; look up only where the next look is due."""
        self.bars += 1
        if self.bars >= self._next:
            self._poll(bar.ts_init)

    def _poll(self, ts_event: int) -> None:
        now_ns = self._clock.monotonic_ns()
        elapsed_s = (now_ns - self._polled_ns) / 1e9
        self._polled_ns = now_ns
        if elapsed_s < POLL_INTERVAL_S / 2:
            self._step = min(self._step * 2, _STEP_BARS_MAX)
        elif elapsed_s > POLL_INTERVAL_S:
            self._step = max(self._step // 2, 1)
        self._next = self.bars + self._step
        if self._bars_max is not None:
            self._next = min(self._next, self._bars_max)
        self._on_progress(Progress(self.bars, self._total, ts_event, self._counts))
        if self._should_stop() or self.bars == self._bars_max:
            self.is_stopped = True
            self._stop_engine()
