"""Positions by hand: averages, partial closes, flips, fees; and money as the engine rounds it."""

from __future__ import annotations

import random
from decimal import Decimal

import pytest
from nautilus_trader.model.objects import Currency, Money, Price

from support.fold_lab import FOREX, INVERSE, LINEAR, SPOT, JournalLab
from tc.evidence.double import amount, money, to_double

FLIPPED = "P-19700101-000000-001-001-2F"


def test_profit_is_realized_against_the_average_price() -> None:
    """1 at 100 and 3 at 120 average 115; selling 2 at 125 earns 20, the other 2 at 105 lose 20."""
    lab = JournalLab("1000 USDT")
    name = lab.instrument(LINEAR)
    for number, (quantity, price) in enumerate((("1", "100"), ("3", "120"), ("-2", "125")), start=1):
        lab.fill(name, quantity, price, ts=number, commission="0.5 USDT")
    fold = lab.fold()
    (position,) = fold.positions_open
    assert (position.quantity, position.price_open) == (2, 115)
    assert position.average_open == 115.0
    assert position.realized_pnl == Decimal("18.5")
    assert fold.balances == {"USDT": Decimal("1018.5")}
    lab.fill(name, "-2", "105", ts=4, commission="0.5 USDT")
    fold = lab.fold()
    (trip,) = fold.round_trips
    assert (trip.quantity, trip.price_open, trip.price_close) == (4, 115, 115)
    assert (trip.realized_pnl, trip.fees) == (-2, 2)
    assert (trip.ts_opened, trip.ts_closed) == (1, 4)
    assert fold.balances == {"USDT": 998}


def test_a_flip_is_a_close_and_an_opening_with_the_fee_split() -> None:
    """Long 1, sell 3: the long earns 10 less a third of the fee, the short of 2 carries two thirds."""
    lab = JournalLab("1000 USDT")
    name = lab.instrument(LINEAR)
    lab.fill(name, "1", "100", ts=1)
    lab.fill(name, "-3", "110", ts=2, commission="0.3 USDT", tags=["turn"])
    fold = lab.fold()
    (trip,) = fold.round_trips
    (position,) = fold.positions_open
    assert (trip.realized_pnl, trip.fees, trip.quantity) == (Decimal("9.9"), Decimal("0.1"), 1)
    assert (position.quantity, position.realized_pnl, position.setup) == (-2, Decimal("-0.2"), "turn")
    assert position.ts_opened == 2
    assert fold.balances == {"USDT": Decimal("1009.7")}


def test_a_flip_under_the_engines_own_id_gets_the_id_the_engine_makes_up() -> None:
    """A position P-...-1 that is turned becomes P-...-2F; a venue's id is kept."""
    lab = JournalLab("1000 USDT")
    name = lab.instrument(LINEAR)
    lab.fill(name, "1", "100", ts=1, position_id="P-19700101-000000-001-001-1")
    lab.fill(name, "-2", "110", ts=2, position_id="P-19700101-000000-001-001-1")
    lab.fill(name, "1", "100", ts=3, position_id="SIM-1-001")
    lab.fill(name, "-2", "110", ts=4, position_id="SIM-1-001")
    assert {one.position_id: one.quantity for one in lab.fold().positions_open} == {FLIPPED: -1, "SIM-1-001": -1}
    lab.fill(name, "1", "90", ts=5, position_id=FLIPPED)
    assert [trip.realized_pnl for trip in lab.fold().round_trips] == [10, 10, 20]


def test_inverse_profit_is_paid_in_coins() -> None:
    """1000 contracts from 20,000 to 25,000 earn 1000/20,000 - 1000/25,000 = 0.01 BTC; short loses as much."""
    for sign, profit in (("", Decimal("0.01")), ("-", Decimal("-0.01"))):
        lab = JournalLab("1 BTC")
        name = lab.instrument(INVERSE)
        lab.fill(name, f"{sign}1000", "20000", ts=1)
        lab.fill(name, f"{'' if sign else '-'}1000", "25000", ts=2)
        fold = lab.fold()
        assert fold.balances == {"BTC": 1 + profit}
        assert fold.round_trips[0].realized_pnl == profit


def test_inverse_entries_are_averaged_as_the_engine_averages_them() -> None:
    """The engine weighs inverse prices by quantity, a venue would by coins: 150 here, where coins would say 133.3."""
    lab = JournalLab("10 BTC")
    name = lab.instrument(INVERSE)
    lab.fill(name, "100", "100", ts=1)
    lab.fill(name, "100", "200", ts=2)
    (position,) = lab.fold().positions_open
    by_coins = 200 / (100 / 100 + 100 / 200)
    assert by_coins == pytest.approx(133.3, abs=0.1), "the naive version fails"
    assert position.price_open == 150


def test_a_fee_in_the_base_currency_of_a_pair_shrinks_the_position() -> None:
    """Buying 1 coin for a fee of 0.001 coins leaves a position of 0.999, and a balance without the fee."""
    lab = JournalLab("1000 USDT", "1 BTC", account_type="CASH")
    name = lab.instrument(SPOT)
    lab.fill(name, "1", "100", ts=1, commission="0.001 BTC")
    fold = lab.fold()
    assert fold.positions_open[0].quantity == Decimal("0.999")
    assert fold.balances == {"USDT": 900, "BTC": Decimal("1.999")}
    assert fold.positions_open[0].realized_pnl == 0


def test_a_reduce_only_fill_opens_nothing_where_positions_are_netted() -> None:
    """Another trader's position was reduced: this one's fee is booked, no position is."""
    lab = JournalLab("1000 USDT")
    name = lab.instrument(LINEAR)
    lab.fill(name, "-1", "100", ts=1, commission="1 USDT")
    initialized = next(index for index, entry in enumerate(lab.entries) if entry.type == "OrderInitialized")
    entry = lab.entries[initialized]
    lab.entries[initialized] = entry._replace(data=entry.data.replace(b'"reduce_only": false', b'"reduce_only": true'))
    fold = lab.fold()
    assert not fold.positions_open
    assert fold.balances == {"USDT": 999}


def test_cash_that_is_not_there_books_nothing() -> None:
    """Selling a coin that the account has no balance of changes nothing, as in the engine."""
    lab = JournalLab("1000 USDT", account_type="CASH")
    name = lab.instrument(SPOT)
    lab.fill(name, "-1", "100", ts=1)
    assert lab.fold().balances == {"USDT": 1000}


def test_profit_is_rounded_once_a_fill_and_the_rest_is_residue() -> None:
    """Three closes of 33.3333 cents each book 0.33, and the missing cent is the residue."""
    lab = JournalLab("1000 USD")
    name = lab.instrument(FOREX)
    lab.fill(name, "300", "1.00000", ts=1)
    for number in range(3):
        lab.fill(name, "-100", "1.00334", ts=number + 2)
    fold = lab.fold()
    assert fold.balances == {"USD": Decimal("1000.99")}
    assert fold.account.exact["USD"] == Decimal("1001.002")
    assert fold.account.residue_max["USD"] == Decimal("0.015")


@pytest.mark.parametrize("code", ["USDT", "USD", "JPY"])
def test_money_is_rounded_as_the_engine_rounds_it(code) -> None:
    """Any double becomes the same money; ties that decimals would round the other way included."""
    currency, draw = Currency.from_str(code), random.Random(3)
    numbers = [draw.uniform(-1, 1) * 10 ** draw.randrange(12) for _ in range(3000)]
    numbers += [number / 2 for number in range(-9, 10)] + [0.005, 0.015, 1.005, 2.675, -1.005, 1e9 + 0.125]
    for number in numbers:
        assert money(number, currency.precision) == Money(number, currency).as_decimal(), number


def test_half_a_cent_goes_where_the_engines_doubles_take_it() -> None:
    """50 euros that gain an odd number of ticks gain half a cent: decimals always round it up, doubles do not."""
    currency, down = Currency.from_str("USD"), 0
    for ticks in range(10, 400, 20):
        closed = Decimal("1.10000") + Decimal(ticks) / 100_000
        lab = JournalLab("1000 USD")
        name = lab.instrument(FOREX)
        lab.fill(name, "50", "1.10000", ts=1)
        lab.fill(name, "-50", str(closed), ts=2)
        booked = lab.fold().balances["USD"] - 1000
        assert booked == Money(50.0 * 1.0 * (float(closed) - 1.1), currency).as_decimal()
        exact = 50 * (closed - Decimal("1.1"))
        assert abs(exact - booked) == Decimal("0.005")
        down += booked < exact
    assert down >= 3, "the naive version, which rounds decimals, was expected to differ"


def test_prices_become_the_engines_doubles() -> None:
    """The engine's double of a price is not always the nearest to its decimals; it is matched all the same."""
    draw, differ = random.Random(4), 0
    for _ in range(5000):
        decimals = draw.choice([0, 1, 2, 5, 8])
        price = Decimal(draw.randrange(1, 10 ** draw.randrange(1, 13))).scaleb(-decimals)
        assert to_double(price) == float(Price.from_str(format(price, "f")))
        differ += to_double(price) != float(price)
    assert differ > 100, "the naive conversion was expected to differ"


def test_doubt_is_a_unit_only_where_rounding_is_undecided() -> None:
    """Half a cent is in doubt, a fifth is not; huge amounts are in doubt by what a double cannot hold."""
    half, fifth = Decimal("0.125"), Decimal("0.122")
    assert amount(0.125, half, Decimal(100), 0, 2).doubt == Decimal("0.01")
    assert amount(0.122, fifth, Decimal(100), 0, 2).doubt == 0
    vast = Decimal(10) ** 9
    assert amount(1e9, vast, vast, 0, 8).doubt > Decimal("1e-7")
    assert amount(0.122, fifth, Decimal(100), 0, 2).residue_max == Decimal("0.005")
