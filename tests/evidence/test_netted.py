"""The netted wallet is the venue's own: whatever is traded, in whatever order."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from tc.evidence.netted import NettedWallet
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
        )
        held, cost, realized = settle(position, 1 if lots > 0 else -1, price, abs(quantity))
        position = Position(held, cost, number)
        booked += realized - charged

        assert wallet.changes["USDT"] == booked
