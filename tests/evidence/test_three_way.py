"""Differences of venue, engine and journal over several looks: what becomes a break, and what is told anew."""

from __future__ import annotations

from tc.evidence.three_way import GRACE_NS, BreakBook, Comparison

SECOND = 1_000_000_000
GRACE_S = GRACE_NS // SECOND


def position(venue: str, engine: str = "0", journal: str | None = None) -> Comparison:
    """Return what the three say of a net position."""
    journal = engine if journal is None else journal
    return Comparison("position", "net position X", "X", venue, engine, journal, venue == engine == journal)


class Looks:
    """Looks at a book, a second apart; `told` are the breaks that were new, as the venue said, `ended` those over."""

    def __init__(self) -> None:
        self.book = BreakBook()
        self.is_held = False
        self.told: list[str] = []
        self.ended: list[str] = []
        self._now_s = 100

    def see(self, *said: Comparison, for_s: int = 1) -> None:
        """See each in turn, for so many seconds in all."""
        for number in range(for_s):
            self._now_s += 1
            each = said[number % len(said)]
            new, ended = self.book.look(self._now_s * SECOND, [each], lambda _each: self.is_held)
            self.told += [one.venue for one in new]
            self.ended += [one.venue for one in ended]


def test_a_difference_becomes_a_break_after_its_grace_and_is_told_once() -> None:
    """Not before, and not again while it stays what it is; it ends when the three agree."""
    looks = Looks()
    looks.see(position("0.01"), for_s=GRACE_S)
    assert (looks.told, looks.book.is_pending) == ([], True)
    looks.see(position("0.01"), for_s=60)
    assert (looks.told, looks.ended, looks.book.is_pending) == (["0.01"], [], False)
    looks.see(position("0"))
    assert looks.ended == ["0.01"]


def test_a_break_that_grows_after_it_was_resumed_is_new() -> None:
    """Told of 0.01 and resumed, five is another break: after a grace of its own, also while it keeps moving."""
    for grown in ([position("5")], [position("5"), position("6"), position("7")]):
        looks = Looks()
        looks.see(position("0.01"), for_s=60)
        looks.see(*grown, for_s=GRACE_S)
        assert (looks.told, looks.book.is_pending) == (["0.01"], True)
        looks.see(*grown)
        assert (len(looks.told), looks.ended) == (2, ["0.01"])


def test_a_break_that_moves_while_it_is_stood_down_is_told_once_it_is_still() -> None:
    """Somebody trades there every few seconds: nothing is told until he has stopped for a grace, then once."""
    looks = Looks()
    looks.see(position("0.01"), for_s=60)
    looks.is_held = True
    looks.see(*(position(str(size)) for size in range(1, 61)), for_s=60)
    assert looks.told == ["0.01"]
    assert not looks.book.is_pending
    looks.see(position("60"), for_s=60)
    assert looks.told == ["0.01", "60"]
    looks.is_held = False
    looks.see(position("60"), for_s=60)
    assert looks.told == ["0.01", "60"]


def test_what_a_resumed_strategy_trades_beside_a_break_makes_no_other_one() -> None:
    """A foreign 0.01 that a person accepted stays 0.01 while engine and journal move; in flight it may differ."""
    looks = Looks()
    looks.see(position("0.01"), for_s=60)
    looks.see(position("0.03", "0.02"), position("0.05", "0.04"), position("-0.03", "-0.04"), for_s=60)
    looks.see(position("0.03", "0.00"), for_s=GRACE_S)
    looks.see(position("0.03", "0.02"), for_s=60)
    assert looks.told == ["0.01"]


def test_what_is_no_number_is_another_where_it_says_something_else() -> None:
    """An order that the venue has and the engine has not, and then the other way round."""
    there = Comparison("order", "order O", "X", "working", "absent", "absent", is_matched=False)
    here = Comparison("order", "order O", "X", "absent", "working", "absent", is_matched=False)
    looks = Looks()
    looks.see(there, for_s=60)
    looks.see(here, for_s=60)
    assert looks.told == ["working", "absent"]
