"""Venue, engine and journal held against one another: three books of one account, which must say the same.

A comparison that does not match is a difference. While orders are on their way differences come and go; one that two
looks find, at least a grace apart, is a break. One that is another than was told is a break anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from tc.evidence.fold import Fold

ZERO = Decimal(0)
GRACE_NS = 6_000_000_000  # the engine needs up to five seconds to find out what became of an order nobody answered
NOT_ASKED = "-"
type Key = tuple[str, str]


@dataclass(frozen=True)
class Comparison:
    """One thing that the three say something about, each in text; `-` is said by nobody.

    `break_class` is position, order, fill, balance or ownership; `instrument_id` is empty where it is the account.
    """

    break_class: str
    subject: str
    instrument_id: str
    venue: str
    engine: str
    journal: str
    is_matched: bool

    @property
    def key(self) -> Key:
        """What it is about, whatever the numbers are."""
        return self.break_class, self.subject

    @property
    def gap(self) -> tuple[Decimal | str, ...]:
        """By how much the three differ, or what they say where it is no numbers: trading on does not move it."""
        said = [text for text in (self.venue, self.engine, self.journal) if text != NOT_ASKED]
        try:
            numbers = [Decimal(text) for text in said]
        except InvalidOperation:
            return tuple(said)
        return tuple(number - numbers[-1] for number in numbers)


@dataclass
class EngineView:
    """What the engine holds now: net positions by instrument and strategy, working orders, what filled, the wallet."""

    positions: dict[tuple[str, str], Decimal] = field(default_factory=dict)
    orders: dict[str, str] = field(default_factory=dict)
    wallet: dict[str, Decimal] = field(default_factory=dict)

    @classmethod
    def of_state(cls, state: Mapping[str, Any], instruments: Mapping[str, str]) -> EngineView:
        """Return the view in a recorded final state; `instruments` names each order's instrument."""
        view = cls()
        for row in state["positions"]:
            key = (row["instrument_id"], row["strategy_id"])
            view.positions[key] = view.positions.get(key, ZERO) + Decimal(row["signed_qty"])
        view.orders = {name: instruments.get(name, "") for name in state["orders"]["open"]}
        view.wallet = {row["currency"]: Decimal(row["total"]) for row in state["balances"]}
        return view


def compare(venue: Mapping[str, Any], engine: EngineView, journal: Fold) -> list[Comparison]:
    """Return every comparison of the three, matched or not; `venue` is a snapshot of its books."""
    return [
        *_positions(venue, engine, journal),
        *_owners(engine, journal),
        *_orders(venue, engine, journal),
        *_fills(venue, journal),
        *_balances(venue, engine, journal),
    ]


def instrument_of(symbol: str, venue_id: str) -> str:
    """Return the instrument that a venue calls `symbol`."""
    return f"{symbol}-PERP.{venue_id}"


def _positions(venue: Mapping[str, Any], engine: EngineView, journal: Fold) -> Iterator[Comparison]:
    venue_id = journal.venue["venue"]
    theirs = {instrument_of(name, venue_id): Decimal(row["quantity"]) for name, row in venue["positions"].items()}
    mine: dict[str, Decimal] = {}
    for (instrument_id, _), quantity in engine.positions.items():
        mine[instrument_id] = mine.get(instrument_id, ZERO) + quantity
    folded: dict[str, Decimal] = {}
    for position in journal.positions_open:
        instrument_id = position.contract.instrument_id
        folded[instrument_id] = folded.get(instrument_id, ZERO) + position.quantity
    for instrument_id in sorted({*theirs, *mine, *folded, *journal.instruments}):
        numbers = [side.get(instrument_id, ZERO) for side in (theirs, mine, folded)]
        yield _numbers("position", f"net position {instrument_id}", instrument_id, numbers)


def _owners(engine: EngineView, journal: Fold) -> Iterator[Comparison]:
    folded: dict[tuple[str, str], Decimal] = {}
    for position in journal.positions_open:
        key = (position.contract.instrument_id, position.strategy_id)
        folded[key] = folded.get(key, ZERO) + position.quantity
    for key in sorted({*engine.positions, *folded}):
        instrument_id, strategy_id = key
        mine, written = engine.positions.get(key, ZERO), folded.get(key, ZERO)
        yield Comparison(
            "ownership", f"position of {strategy_id} in {instrument_id}", instrument_id, NOT_ASKED, _plain(mine),
            _plain(written), mine == written,
        )  # fmt: skip


def _orders(venue: Mapping[str, Any], engine: EngineView, journal: Fold) -> Iterator[Comparison]:
    venue_id = journal.venue["venue"]
    theirs = {row["client_order_id"]: instrument_of(row["symbol"], venue_id) for row in venue["orders"]}
    folded = {name: journal.orders[name].instrument_id for name in journal.orders_open()}
    yield Comparison("order", "working orders", "", str(len(theirs)), str(len(engine.orders)), str(len(folded)), True)
    for name in sorted(theirs.keys() ^ engine.orders.keys() | theirs.keys() ^ folded.keys()):
        instrument_id = theirs.get(name) or engine.orders.get(name) or folded.get(name, "")
        said = ["working" if name in side else "absent" for side in (theirs, engine.orders, folded)]
        yield Comparison("order", f"order {name}", instrument_id, said[0], said[1], said[2], is_matched=False)


def _fills(venue: Mapping[str, Any], journal: Fold) -> Iterator[Comparison]:
    # By order and quantity first: where the engine inferred a fill it bears another id than the venue's.
    venue_id = journal.venue["venue"]
    theirs: dict[str, Decimal] = {}
    instruments: dict[str, str] = {}
    for row in venue["fills"]:
        name = row["client_order_id"]
        theirs[name] = theirs.get(name, ZERO) + Decimal(row["quantity"])
        instruments[name] = instrument_of(row["symbol"], venue_id)
    folded: dict[str, Decimal] = {}
    for fill in journal.fills:
        folded[fill.client_order_id] = folded.get(fill.client_order_id, ZERO) + abs(fill.quantity)
        instruments[fill.client_order_id] = fill.instrument_id
    yield Comparison("fill", "orders with fills", "", str(len(theirs)), NOT_ASKED, str(len(folded)), True)
    for name in sorted(theirs.keys() | folded.keys()):
        mine, written = theirs.get(name, ZERO), folded.get(name, ZERO)
        if mine != written:
            yield Comparison(
                "fill", f"filled of {name}", instruments[name], _plain(mine), NOT_ASKED, _plain(written),
                is_matched=False,
            )  # fmt: skip
    for repeated in journal.trades_repeated:
        yield Comparison("fill", f"twice: {repeated}", "", NOT_ASKED, NOT_ASKED, "twice", is_matched=False)


def _balances(venue: Mapping[str, Any], engine: EngineView, journal: Fold) -> Iterator[Comparison]:
    for currency in sorted({*journal.balances, *venue["wallet"]}):
        theirs = Decimal(venue["wallet"].get(currency, ZERO))
        mine = engine.wallet.get(currency)
        written = journal.starting_balances.get(currency, ZERO) + journal.netted.changes.get(currency, ZERO)
        written += sum((Decimal(one["amount"]) for one in journal.incomes if one["currency"] == currency), ZERO)
        is_matched = theirs == written == mine
        said = NOT_ASKED if mine is None else _plain(mine)
        yield Comparison("balance", f"wallet {currency}", "", _plain(theirs), said, _plain(written), is_matched)


class _Change(NamedTuple):
    """A break that is another than was told: its gap, and since when it is this one, and not the one that was told."""

    gap: tuple[Decimal | str, ...]
    still_ns: int
    since_ns: int


@dataclass
class BreakBook:
    """Differences over several looks: which have become breaks, and since when."""

    grace_ns: int = GRACE_NS
    _first_seen_ns: dict[Key, int] = field(default_factory=dict)
    _told: dict[Key, Comparison] = field(default_factory=dict)
    _changes: dict[Key, _Change] = field(default_factory=dict)
    _looked_ns: int = 0

    def look(
        self,
        now_ns: int,
        comparisons: Iterable[Comparison],
        is_held: Callable[[Comparison], bool] = lambda _each: False,
    ) -> tuple[list[Comparison], list[Comparison]]:
        """Take what a look found; return the breaks that are new and those that are no more.

        A break whose gap is another than was told for a grace ends, as it was told, and is new. Where `is_held` (it was
        stood down, and nobody has resumed), it is so only once the gap has not moved for a grace: one that moves with
        somebody's trades is not told at every look.
        """
        differing = {each.key: each for each in comparisons if not each.is_matched}
        self._looked_ns = now_ns
        self._first_seen_ns = {key: self._first_seen_ns.get(key, now_ns) for key in differing}
        self._changes = {
            key: self._change(now_ns, each)
            for key, each in differing.items()
            if key in self._told and each.gap != self._told[key].gap
        }
        new = [each for each in differing.values() if self._is_new(now_ns, each, is_held)]
        over = {each.key for each in new} | (self._told.keys() - differing.keys())
        ended = [each for key, each in self._told.items() if key in over]
        self._told = {key: each for key, each in self._told.items() if key not in over} | {one.key: one for one in new}
        self._changes = {key: each for key, each in self._changes.items() if key not in over}
        return new, ended

    def _change(self, now_ns: int, each: Comparison) -> _Change:
        before = self._changes.get(each.key)
        if before is None:
            return _Change(each.gap, now_ns, now_ns)
        return before if before.gap == each.gap else _Change(each.gap, now_ns, before.since_ns)

    def _is_new(self, now_ns: int, each: Comparison, is_held: Callable[[Comparison], bool]) -> bool:
        if each.key not in self._told:
            return now_ns - self._first_seen_ns[each.key] >= self.grace_ns
        change = self._changes.get(each.key)
        if change is None:
            return False
        return now_ns - (change.still_ns if is_held(each) else change.since_ns) >= self.grace_ns

    @property
    def is_pending(self) -> bool:
        """Whether something differs that is not a break yet, or differs otherwise than was told since a moment ago."""
        is_young = any(self._looked_ns - each.since_ns < self.grace_ns for each in self._changes.values())
        return is_young or bool(self._first_seen_ns.keys() - self._told.keys())

    def age_s(self, now_ns: int, each: Comparison) -> float:
        """Return for how long a difference has been seen."""
        return (now_ns - self._first_seen_ns.get(each.key, now_ns)) / 1e9


def _numbers(break_class: str, subject: str, instrument_id: str, numbers: list[Decimal]) -> Comparison:
    said = [_plain(number) for number in numbers]
    return Comparison(break_class, subject, instrument_id, said[0], said[1], said[2], len(set(numbers)) == 1)


def _plain(number: Decimal) -> str:
    return format(number.normalize() if number else ZERO, "f")
