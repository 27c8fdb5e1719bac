"""The netted wallet is the venue's own: whatever is traded, in whatever order."""

from __future__ import annotations

from decimal import Decimal
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from tc.evidence.netted import NettedWallet, place_of
from tc.evidence.position import Contract, Fill
from tc.venue.exchange.account import Position, settle

CONTRACT = Contract("X-PERP.BINANCE", "perpetual", "X", "USDT", "USDT", False, Decimal(1), 1, 3)
trades = st.lists(
    st.tuples(st.integers(-9, 9).filter(bool), st.integers(1, 999_999), st.integers(0, 99)), min_size=1, max_size=60
)


@given(trades)
def test_the_netted_wallet_equals_the_venues_to_the_last_unit(drawn: list[tuple[int, int, int]]) -> None:
    """For any fills of any owners the wallet changes by exactly the profits and fees that the venue books."""
    wallet, position, booked = NettedWallet(), Position(), Decimal(0)
    for number, (lots, ticks, fee) in enumerate(drawn):
        quantity, price, charged = Decimal(lots) / 1000, Decimal(ticks) / 10, Decimal(fee) / 10**8
        owner = ("A-001", "B-002", "EXTERNAL")[number % 3]
        wallet.take(
            Fill(number, owner, CONTRACT.instrument_id, owner, f"O-{number}", quantity, price, charged, "USDT", False),
            CONTRACT,
            (number, 0),
        )
        held, cost, realized = settle(position, 1 if lots > 0 else -1, price, abs(quantity))
        position = Position(held, cost, number)
        booked += realized - charged

        assert wallet.changes["USDT"] == booked


@given(trades, st.randoms(use_true_random=False))
def test_fills_found_late_are_netted_where_they_belong(drawn: list[tuple[int, int, int]], dice: Random) -> None:
    """In whatever order the journal hears of the same fills, the wallet changes by the same to the last unit."""
    fills = [
        Fill(
            number, "A-001", CONTRACT.instrument_id, "A-001", f"O-{number}", Decimal(lots) / 1000, Decimal(ticks) / 10,
            Decimal(fee) / 10**8, "USDT", False,
        )
        for number, (lots, ticks, fee) in enumerate(drawn)
    ]  # fmt: skip
    in_order, shuffled = NettedWallet(), NettedWallet()
    for number, fill in enumerate(fills):
        in_order.take(fill, CONTRACT, place_of(number // 2, str(number)))
    for number in dice.sample(range(len(fills)), len(fills)):
        shuffled.take(fills[number], CONTRACT, place_of(number // 2, str(number)))

    assert shuffled.changes == in_order.changes
