"""A clock that the test moves: who waits on it, moves it too."""

from __future__ import annotations

from support.ledger_lab import T0


class FakeClock:
    """Wall and monotonic time that go on by `pass_s` and by sleeping only."""

    def __init__(self) -> None:
        self._passed_ns = 0

    def pass_s(self, seconds: float, *, less_ns: int = 0) -> None:
        """Let time go by, `less_ns` less than the seconds."""
        self._passed_ns += round(seconds * 1_000_000_000) - less_ns

    def now_ns(self) -> int:
        """Return the wall clock."""
        return T0 + self._passed_ns

    def monotonic_ns(self) -> int:
        """Return the monotonic clock; it did not start at zero."""
        return 77_000_000_003 + self._passed_ns

    def sleep(self, seconds: float) -> None:
        """Let the time of the sleep go by."""
        self.pass_s(seconds)
