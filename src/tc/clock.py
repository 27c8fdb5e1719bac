"""The one door for time: nothing else reads a clock, so tests and drills can hold it."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Wall time for stamps, monotonic time for durations and deadlines."""

    def now_ns(self) -> int:
        """Return the wall clock in UNIX nanoseconds."""

    def monotonic_ns(self) -> int:
        """Return a clock that never goes back, in nanoseconds."""

    def sleep(self, seconds: float) -> None:
        """Return after `seconds`."""


class SystemClock:
    """The machine's own clocks."""

    def now_ns(self) -> int:
        """Return the wall clock in UNIX nanoseconds."""
        return time.time_ns()

    def monotonic_ns(self) -> int:
        """Return the monotonic clock in nanoseconds."""
        return time.monotonic_ns()

    def sleep(self, seconds: float) -> None:
        """Sleep on the monotonic clock."""
        time.sleep(seconds)


SYSTEM_CLOCK = SystemClock()


def iso_utc(ts_ns: int) -> str:
    """Return UNIX nanoseconds as `2022-01-01T00:00:00.000000000Z`; exact to the nanosecond."""
    seconds, nanos = divmod(ts_ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{nanos:09d}Z"


def compact_utc(ts_ns: int) -> str:
    """Return UNIX nanoseconds as `20220101T000000Z`, the form that starts a run_id."""
    return f"{datetime.fromtimestamp(ts_ns // 1_000_000_000, UTC):%Y%m%dT%H%M%SZ}"


def parse_utc_ns(text: str) -> int:
    """Return UNIX nanoseconds of an ISO 8601 date or time; a time without zone is UTC.

    Raises ValueError where the text is neither.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    whole = moment.replace(microsecond=0)
    return int(whole.timestamp()) * 1_000_000_000 + moment.microsecond * 1_000
