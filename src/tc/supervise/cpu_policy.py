"""Whether a process burns more of a core than it may: over a whole window, so that a burst is nobody's alarm.

A machine without clock or process: it is given times and the processor time used so far, both in nanoseconds.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

SECOND = 1_000_000_000


@dataclass(frozen=True)
class Burning:
    """For the whole window the process used `share` of one core, above its bound."""

    share: float


@dataclass(frozen=True)
class Eased:
    """It uses less than its bound again."""

    share: float


@dataclass
class CpuWatch:
    """One process being watched; `bound` is a share of one core, above 1 where several threads may burn."""

    bound: float
    window: int = 15 * SECOND
    share: float | None = None
    """What it used of a core in the last window; None before there was one."""
    _samples: deque[tuple[int, int]] = field(default_factory=deque)
    _is_burning: bool = False

    def begin(self) -> None:
        """Watch another process."""
        self._samples.clear()
        self.share = None
        self._is_burning = False

    def turn(self, now: int, used: int | None) -> Burning | Eased | None:
        """Return what is new; `used` is None where the process is not there."""
        if used is None or (self._samples and used < self._samples[-1][1]):
            self.begin()
            return None
        samples = self._samples
        if samples and now - samples[-1][0] < SECOND:
            return None
        samples.append((now, used))
        while len(samples) > 2 and now - samples[1][0] >= self.window:
            samples.popleft()
        began, before = samples[0]
        if now - began < self.window:
            return None
        self.share = (used - before) / (now - began)
        is_burning = self.share > self.bound
        if is_burning == self._is_burning:
            return None
        self._is_burning = is_burning
        return Burning(self.share) if is_burning else Eased(self.share)
