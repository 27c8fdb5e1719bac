"""What mutants of the gate got away with, on what is booked, reserved and marked: each test fails without its line."""

from __future__ import annotations

import sys
from decimal import Decimal
from typing import Any

import pytest
from nautilus_trader.model.enums import OrderSide

from support.gate_lab import World, limited_spec
from support.gate_probe import (
    BUY,
    CAPITAL,
    FLAT,
    REST,
    SELL,
    Step,
    after_fills,
    book_of,
    failing,
    modify,
    reserved,
    run,
    trail,
    with_instrument,
    with_venue,
)
from tc.model.venue import Fees


@pytest.fixture(autouse=True)
def _own_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])


def test_what_is_owed_is_booked_before_the_next_order_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    """The release of a canceled order found the ledger busy: the order that needs its room passes all the same."""
    failing(monkeypatch, 1, "release")
    spec = limited_spec({"2": [REST], "5": [BUY]}, position_value="50000 USDT")
    seen, _ = run(spec, FLAT, {3: lambda strategy, _: strategy.cancel_order(strategy.sent[0])})
    assert seen == [(5, "filled", "1.000")]


def test_owed_bookings_keep_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fill found the ledger busy twice: it is booked before the release of an order that was canceled after it."""
    done = failing(monkeypatch, 2, "commit_fill", "release")
    spec = limited_spec({"2": [REST, BUY]})
    run(spec, FLAT, {3: lambda strategy, _: strategy.cancel_order(strategy.sent[0])})
    assert done == ["commit_fill", "release", "release"]


def test_a_modify_that_its_venue_rejects_leaves_the_order_reserved_as_it_is() -> None:
    """Post-only, it may not be moved to where it would trade at once: one counts, not the three that were asked for."""
    found: list[Any] = []

    def post(strategy: Any, _world: World) -> None:
        size, price = strategy.instrument.make_qty(1), strategy.instrument.make_price(36_000)
        name = strategy.config.instrument_id
        strategy.sent.append(strategy.order_factory.limit(name, OrderSide.BUY, size, price, post_only=True))
        strategy.submit_order(strategy.sent[-1])

    steps: dict[int, Step] = {2: post, 4: modify("3", "41000"), 6: lambda _, world: found.append(reserved(world))}
    seen, _ = run(limited_spec({}), FLAT, steps)
    assert [what for _, what, _ in seen] == ["rejected"]
    assert found == [[1]]


def test_a_price_that_its_venue_moved_is_reserved() -> None:
    """A trailing stop follows the price down, and what is reserved is at the trigger that it has by now."""
    sent: list[Any] = []
    closes = [40_000.0 - 100 * number for number in range(12)]
    _, world = run(limited_spec({}), closes, {2: lambda strategy, _: sent.append(trail(strategy))})
    (one,) = book_of(world).reservations.values()
    assert one.price == sent[0].trigger_price.as_decimal() < 39_600


def test_a_fill_that_reduces_is_no_breach() -> None:
    """The price took the position over its cap: selling a part leaves it over, and that stands nobody down."""
    spec = limited_spec({"2": [["BUY", "2"]], "6": [["SELL", "0.1"]]}, position_value="82000 USDT")
    seen, world = run(spec, [40_000.0] * 3 + [44_000.0] * 6)
    assert seen == [(2, "filled", "2.000"), (6, "filled", "0.100")]
    assert not world.sink.of("LimitBreached")
    assert not world.sink.of("StoodDown")


def test_after_a_fill_equity_is_marked_at_the_last_reference() -> None:
    """Filled at 38,000 within a bar, with 40,000 the last price that there was: two in all are worth 40,000 each."""
    found: list[Decimal] = []
    spec = with_instrument(limited_spec({"2": [BUY, ["BUY", "1", "38000"]]}))
    run(spec, [40_000.0] * 4 + [36_000.0] * 4, before=after_fills(found))
    assert found == [0, 2_000]


def test_a_fill_marks_equity_without_a_new_price() -> None:
    """Closed with a profit of a thousand: it is realized and no longer open, and counts once from the fill on."""
    found: list[Decimal] = []
    spec = with_instrument(limited_spec({"2": [BUY], "6": [SELL]}))
    _, world = run(spec, [40_000.0] * 3 + [41_000.0] * 6, before=after_fills(found))
    assert found == [0, 1_000]
    now_ns = world.kernel.clock.timestamp_ns()
    assert world.parts.rules.seen(book_of(world), now_ns).equity.current == CAPITAL + 1_000


def test_a_fee_that_another_balance_pays_is_not_charged_to_the_ledger() -> None:
    """Five euros an order come off the euros: the ledger in USDT has what it had."""
    fees = Fees(model="fixed", commission="5 EUR")
    spec = limited_spec({"2": [BUY], "4": [SELL]})
    spec = with_venue(spec, fees=fees, starting_balances=("1000000 USDT", "100 EUR"))
    _, world = run(spec, FLAT)
    assert {entry["commission"] for entry in world.sink.of("OrderFilled")} == {"5.00 EUR"}
    assert world.parts.ledgers["USDT"].realized == CAPITAL


def test_an_inverse_contract_is_marked_in_coins() -> None:
    """40,000 dollars bought at 40,000 are one coin; at 50,000 the profit is 1 - 0.8 coins."""
    spec = with_venue(
        limited_spec({"2": [["BUY", "40000"]]}, order_quantity="unlimited"), starting_balances=("10 BTC",)
    )
    spec = with_instrument(spec, inverse=True, quote_currency="USD", size_increment=Decimal(1))
    seen, world = run(spec, [40_000.0] * 3 + [50_000.0] * 5)
    assert seen == [(2, "filled", "40000")]
    assert world.parts.rules.equity["BTC"].current == 10 + 1 - Decimal("0.8")
