"""Which feeds a node waits for when it starts: all but those of which every bar may have been played already."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tc.model.run_spec import Feed

_LATE_S = 1.0


def awaited_feeds(
    feeds: Iterable[Feed], ends_ns: Mapping[str, int], status: Mapping[str, Any], now_ns: int
) -> tuple[str, ...]:
    """Return the bar types of which a bar is still to come, as far as anybody knows.

    `ends_ns` is the time of each one's last bar where that is known, `status` what an earlier node of the run said
    last, if anything, with the last bar that it got; a venue has played on since then at its pace. What nobody knows
    is awaited: silence must not pass for the end of the data.
    """
    return tuple(feed.bar_type for feed in feeds if not _may_be_over(feed, ends_ns.get(feed.bar_type), status, now_ns))


def with_earlier_bars(status: Mapping[str, Any], earlier: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a node says, with the last bars that `earlier` ones of the run got where it got none yet."""
    return {**status, "last_bars": {**earlier.get("last_bars", {}), **status["last_bars"]}}


def _may_be_over(feed: Feed, end_ns: int | None, status: Mapping[str, Any], now_ns: int) -> bool:
    seen = status.get("last_bars", {}).get(feed.bar_type)
    if end_ns is None or seen is None:
        return False
    passed_s = (now_ns - seen["ts_received"]) / 1e9 + _LATE_S
    return bool(seen["ts_event"] + passed_s * 1e9 * float(feed.speed or 1) >= end_ns)
