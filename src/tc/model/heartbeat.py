"""The signs of life of a node: which slot of its heartbeat file says what, and how they are read."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tc.model.run_spec import RunSpec  # its schema is larger than the kill agent

HEARTBEAT = "heartbeat"
AGENT_HEARTBEAT = "agent.heartbeat"
"""The same of the run's kill agent: its loop, and the venue's last answer to it."""
STACKS = "stacks.txt"
STALL_FILES = "stall-*.txt"
"""One a stall, with the stack as it was then."""
STACK_SIGNAL = signal.SIGRTMIN + 5
"""Makes the node write the stack of its loop, even while Python code or C code keeps it."""
STALE_S = 10.0
_BARS = 3
PROBE_S = 0.25
"""How often a synthetic event goes through the engine while the node runs."""


IS_ARMED, IS_KILLING = 1, 2
"""What IS_WATCHED says of an agent; 0 where nobody is to expect beats."""


class Slot(IntEnum):
    """One number each; times are nanoseconds of the machine's monotonic clock, 0 before the first."""

    IS_WATCHED = 0
    PID = 1
    LOOP = 2
    LOOP_TURNS = 3
    PIPELINE = 4
    PIPELINE_EVENTS = 5
    FEED = 6
    FEED_ITEMS = 7
    FEED_LIMIT = 8
    FEED_TS = 9
    ORDER_PATH = 10
    UNIX = 11
    DEAD_MAN = 12


@dataclass(frozen=True)
class Beats:
    """When each part of the node last did a unit of its work, monotonic ns; None where nothing is expected of it.

    `loop` turned; `pipeline` carried a synthetic event through the engine; `feed` delivered an item of the market data
    that is the oldest by now, which may be `feed_limit` ns old; `order_path` had a signed request answered.
    """

    loop: int | None = None
    pipeline: int | None = None
    feed: int | None = None
    feed_limit: int | None = None
    order_path: int | None = None


def read_beats(read: Callable[[int], int], pid: int) -> Beats | None:
    """Return the beats of the node `pid`; None while it is not to be watched: it starts, ends, or is another one."""
    if read(Slot.PID) != pid or not read(Slot.IS_WATCHED):
        return None
    limit = read(Slot.FEED_LIMIT)
    return Beats(
        loop=read(Slot.LOOP) or None,
        pipeline=read(Slot.PIPELINE) or None,
        feed=(read(Slot.FEED) or None) if limit else None,
        feed_limit=limit or None,
        order_path=read(Slot.ORDER_PATH) or None,
    )


def stale_limit_s(spec: RunSpec) -> float:
    """Return how old the market data of a paper run may be, in real seconds.

    That is `safety.stale_data_timeout_s`, else ten seconds or three bars at the pace of the data, whichever is longer.
    """
    from tc.model.value import bar_seconds  # only here

    if spec.safety is not None and spec.safety.stale_data_timeout_s is not None:
        return float(spec.safety.stale_data_timeout_s)
    return max([STALE_S, *(_BARS * bar_seconds(feed.bar_type) / float(feed.speed or 1) for feed in spec.data)])
