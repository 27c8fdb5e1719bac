"""The watchdog's policy under a made-up clock: what it says of beats, of their absence, and of its own pauses."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tc.model.heartbeat import Beats
from tc.supervise.watch_policy import (
    SECOND,
    Dead,
    GiveUp,
    Healthy,
    Part,
    Quarantine,
    StaleData,
    Stalled,
    Watch,
    WatchPolicy,
)

TURN = SECOND // 20
START = 77 * SECOND
LIMIT = 5 * SECOND


class Lab:
    """A watch whose clock the test moves; every part beats at every turn unless it is silent."""

    def __init__(self, policy: WatchPolicy | None = None) -> None:
        self.watch = Watch(policy or WatchPolicy())
        self.now = START
        self.silent: set[Part] = set()
        self.beats = dict.fromkeys(Part, START)
        self.said: list[tuple[int, object]] = []

    def turn(self, after: int = TURN, *, is_watched: bool = True) -> None:
        """Let time go by, the node beat, and the watchdog look."""
        self.now += after
        self.beats |= {part: self.now for part in Part if part not in self.silent}
        beats = Beats(**{part.value: ns for part, ns in self.beats.items()}, feed_limit=LIMIT)
        self.said += [(self.now, each) for each in self.watch.turn(self.now, beats if is_watched else None)]

    def turns(self, seconds: float) -> None:
        """Look as often as in so many seconds."""
        for _ in range(round(seconds * SECOND / TURN)):
            self.turn()

    def kinds(self) -> list[str]:
        """Return the names of what was said."""
        return [type(each).__name__ for _, each in self.said]


def test_a_node_that_works_is_nothing_to_speak_of() -> None:
    """An hour of beats: not a word."""
    lab = Lab()
    lab.turns(3_600)
    assert not lab.said


def test_a_blocked_loop_is_said_once_within_a_second_then_dead_then_healthy_again() -> None:
    """One Stalled before 1 s, one Dead after 10 s; a loop that turns again is Healthy."""
    lab = Lab()
    lab.turns(1)
    silent_since = lab.now
    lab.silent = set(Part)  # who keeps the loop, keeps everything
    lab.turns(20)
    lab.silent = set()
    lab.turns(1)

    assert lab.kinds() == ["Stalled", "Dead", "Healthy"]
    (stalled_at, stalled), (dead_at, dead), (_, healthy) = lab.said
    assert stalled == Stalled(Part.LOOP, stalled_at - silent_since)
    assert stalled_at - silent_since < SECOND
    assert isinstance(dead, Dead)
    assert 10 * SECOND < dead_at - silent_since < 10 * SECOND + 2 * TURN
    assert healthy == Healthy(Part.LOOP)


def test_a_mute_feed_is_noticed_within_its_limit_and_nothing_else_is_blamed() -> None:
    """StaleData when the limit is over, not before; Healthy when an item comes."""
    lab = Lab()
    lab.turns(1)
    silent_since = lab.now
    lab.silent = {Part.FEED}
    lab.turns(30)
    lab.silent = set()
    lab.turn()

    assert lab.kinds() == ["StaleData", "Healthy"]
    at, stale = lab.said[0]
    assert stale == StaleData(at - silent_since, LIMIT)
    assert LIMIT < at - silent_since <= LIMIT + TURN


def test_an_engine_whose_queue_is_dead_is_noticed_though_its_loop_turns() -> None:
    """The synthetic event that does not come back: Stalled after 2 s, Dead after 10 s."""
    lab = Lab()
    lab.turn()
    lab.silent = {Part.PIPELINE}
    lab.turns(12)
    assert next(each for _, each in lab.said if isinstance(each, Stalled)).part is Part.PIPELINE
    assert lab.kinds() == ["Stalled", "Dead"]


def test_a_venue_that_answers_nothing_kills_no_node() -> None:
    """The order path is said to be stalled, and that is all: a restart would not help."""
    lab = Lab()
    lab.turn()
    lab.silent = {Part.ORDER_PATH}
    lab.turns(120)
    assert [each.part for _, each in lab.said if isinstance(each, Stalled)] == [Part.ORDER_PATH]
    assert lab.kinds() == ["Stalled"]


@given(st.lists(st.integers(min_value=SECOND // 2 + 1, max_value=3_600 * SECOND), max_size=20), st.booleans())
def test_pauses_of_the_watchdog_are_never_anybodys_age(pauses: list[int], is_machine: bool) -> None:
    """However long and however often it is stopped, alone or with the whole machine, it blames nobody."""
    lab = Lab()
    lab.turn()
    for pause in pauses:
        lab.silent = set(Part) if is_machine else set()
        lab.turn(pause)  # on a machine that was suspended nothing has beaten yet when we look
        lab.silent = set()
        lab.turns(0.2)
    assert not lab.said


@given(st.lists(st.integers(min_value=1, max_value=SECOND // 2), min_size=60, max_size=120))
def test_turns_that_are_merely_late_do_not_hide_a_blocked_loop(turns: list[int]) -> None:
    """Whatever the turns within their bound: once 0.7 s are over, the first of them says so, and only one does."""
    lab = Lab()
    lab.turn()
    since = lab.now
    lab.silent = set(Part)
    for after in turns:
        lab.turn(after)
    stalls = [at for at, each in lab.said if isinstance(each, Stalled)]
    is_due = lab.now - since > WatchPolicy().loop_stall
    assert len(stalls) == is_due
    assert all(at - since <= WatchPolicy().loop_stall + SECOND // 2 for at in stalls)


@given(st.lists(st.integers(min_value=0, max_value=7_200 * SECOND), max_size=60), st.integers(0, 5))
def test_no_window_ever_has_more_restarts_than_are_allowed(gaps: list[int], restarts: int) -> None:
    """Any sequence of deaths: at most max_restarts in any window, each held back longer than the one before."""
    policy = WatchPolicy(max_restarts=restarts)
    watch = Watch(policy)
    now, given_ns = START, list[int]()
    for gap in gaps:
        now += gap
        verdict = watch.died(now)
        recent = [ns for ns in given_ns if now - ns < policy.window]
        if isinstance(verdict, GiveUp):
            assert len(recent) == restarts == verdict.restarts
            continue
        given_ns.append(now)
        assert verdict.restart == len(recent) + 1 <= restarts
        assert verdict.until - now == min(policy.backoff * 2 ** len(recent), policy.backoff_max)


def test_a_node_that_always_dies_gets_three_restarts_and_no_fourth() -> None:
    """Quarantines of 0.5, 1 and 2 s, then GiveUp; an hour later it would be given another chance."""
    watch = Watch()
    verdicts = [watch.died(START + second * SECOND) for second in range(4)]
    waits = [each.until - START - n * SECOND for n, each in enumerate(verdicts) if isinstance(each, Quarantine)]
    assert waits == [SECOND // 2, SECOND, 2 * SECOND]
    assert verdicts[3] == GiveUp(3)
    assert isinstance(watch.died(START + 3_700 * SECOND), Quarantine)


def test_a_node_that_starts_or_ends_is_not_blamed() -> None:
    """While it is not to be watched its silence means nothing, and what was missed before is forgotten."""
    lab = Lab()
    lab.turn()
    lab.silent = set(Part)
    for _ in range(400):
        lab.turn(is_watched=False)
    lab.silent = set()
    lab.turns(1)
    assert not lab.said
