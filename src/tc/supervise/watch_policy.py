"""What the watchdog makes of signs of life: a machine without clock, disk or process, asked at every turn.

Times are nanoseconds of one monotonic clock and are passed in.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from tc.model.heartbeat import Beats

SECOND = 1_000_000_000


class Part(StrEnum):
    """What beats."""

    LOOP = "loop"
    PIPELINE = "pipeline"
    FEED = "feed"
    ORDER_PATH = "order_path"


@dataclass(frozen=True)
class WatchPolicy:
    """After how many ns without a beat a part counts as stalled, and when the node as dead; how often it is restarted.

    `own_gap` is how far apart two turns of the watchdog may be before it takes the time between for its own pause.
    Restart number n of a window waits `backoff` * 2**(n-1), at most `backoff_max`.
    """

    loop_stall: int = 7 * SECOND // 10
    pipeline_stall: int = 2 * SECOND
    order_path_stall: int = 15 * SECOND
    dead: int = 10 * SECOND
    own_gap: int = SECOND // 2
    max_restarts: int = 3
    window: int = 3_600 * SECOND
    backoff: int = SECOND // 2
    backoff_max: int = 30 * SECOND


@dataclass(frozen=True)
class Healthy:
    """A part that was stalled or stale beats again."""

    part: Part


@dataclass(frozen=True)
class StaleData:
    """The socket may be up, but no market data came for `age` ns; `limit` ns are allowed."""

    age: int
    limit: int


@dataclass(frozen=True)
class Stalled:
    """A part did no work for `age` ns; whoever hears this looks at the stacks of the node."""

    part: Part
    age: int


@dataclass(frozen=True)
class Dead:
    """A part is stalled for so long that the node is to be ended."""

    part: Part
    age: int


@dataclass(frozen=True)
class Quarantine:
    """The node is gone. Nothing trades before `until`; then it may be restarted for the `restart`-th time."""

    restart: int
    until: int


@dataclass(frozen=True)
class GiveUp:
    """The node is gone, and `restarts` restarts in the window were all that it has."""

    restarts: int


Finding = Healthy | StaleData | Stalled | Dead


@dataclass
class Watch:
    """One node being watched, over its restarts."""

    policy: WatchPolicy = field(default_factory=WatchPolicy)
    _turn: int | None = None
    _seen: dict[Part, int] = field(default_factory=dict)
    _paused: dict[Part, int] = field(default_factory=dict)
    _missing: set[Part] = field(default_factory=set)
    _is_dead: bool = False
    _restarts: list[int] = field(default_factory=list)

    def begin(self) -> None:
        """Watch another process: nothing that the last one missed counts."""
        self._turn = None
        self._seen.clear()
        self._paused.clear()
        self._missing.clear()
        self._is_dead = False

    @property
    def missing(self) -> list[str]:
        """The parts that miss beats now."""
        return sorted(part.value for part in self._missing)

    def turn(self, now: int, beats: Beats | None) -> tuple[Finding, ...]:
        """Return what is new; `beats` is None while the node is not to be watched.

        A gap between two turns is our own pause (stopped, suspended, busy): it is nobody else's age.
        """
        gap = 0 if self._turn is None else now - self._turn
        self._turn = now
        if beats is None:
            self.begin()
            self._turn = now
            return ()
        for part in self._seen:  # while the loop is blocked, nothing else can beat, and that is not their fault
            if gap > self.policy.own_gap or (part is not Part.LOOP and Part.LOOP in self._missing):
                self._paused[part] += gap
        return tuple(self._findings(now, beats))

    def died(self, now: int) -> Quarantine | GiveUp:
        """Return what follows the death of the node; a Quarantine counts as a restart."""
        policy = self.policy
        self.begin()
        self._restarts = [each for each in self._restarts if now - each < policy.window]
        if len(self._restarts) >= policy.max_restarts:
            return GiveUp(len(self._restarts))
        self._restarts.append(now)
        number = len(self._restarts)
        return Quarantine(number, now + min(policy.backoff * 2 ** (number - 1), policy.backoff_max))

    def _findings(self, now: int, beats: Beats) -> Iterator[Finding]:
        policy = self.policy
        for part, beat, limit in (
            (Part.LOOP, beats.loop, policy.loop_stall),
            (Part.PIPELINE, beats.pipeline, policy.pipeline_stall),
            (Part.FEED, beats.feed, beats.feed_limit),
            (Part.ORDER_PATH, beats.order_path, policy.order_path_stall),
        ):
            age = self._age(now, part, beat)
            if age is None or limit is None or age <= limit:
                if part in self._missing:
                    self._missing.remove(part)
                    yield Healthy(part)
                continue
            if part not in self._missing:
                self._missing.add(part)
                yield StaleData(age, limit) if part is Part.FEED else Stalled(part, age)
            if part in (Part.LOOP, Part.PIPELINE) and age > policy.dead and not self._is_dead:
                self._is_dead = True
                yield Dead(part, age)

    def _age(self, now: int, part: Part, beat: int | None) -> int | None:
        if beat is None:
            self._seen.pop(part, None)
            self._paused.pop(part, None)
            return None
        if self._seen.get(part) != beat:
            self._seen[part] = beat
            self._paused[part] = 0
        return max(0, now - beat - self._paused[part])
