"""Fills become positions: opened, extended, reduced, flipped, each as the engine does it.

Source: NautilusTrader 1.231.0, `execution/engine.pyx` (`_handle_position_update`, `_flip_position`). The account
is booked against the position as it was before the fill.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from tc.clock import compact_utc
from tc.evidence.account import FoldedAccount
from tc.evidence.double import ZERO, money
from tc.evidence.position import Contract, Fill, FoldedPosition

_GENERATED_ID = re.compile(r"P-\d{8}-\d{6}-[^-]+-[^-]+-(\d+)F?")  # what the engine calls a position of its own


class Exposure(NamedTuple):
    """An instrument's open positions after a fill, added up.

    `net` is signed, `gross` adds the sizes of both sides, `cost` is the signed value at the open prices, in the
    settlement currency, multiplier included.
    """

    ts_event: int
    net: Decimal
    gross: Decimal
    cost: Decimal


@dataclass(slots=True)
class FoldedBook:
    """An account and its positions; `exposure` has one row a fill, by instrument."""

    account: FoldedAccount = field(default_factory=FoldedAccount)
    positions: dict[str, FoldedPosition] = field(default_factory=dict)
    exposure: dict[str, list[Exposure]] = field(default_factory=dict)

    def add(self, fill: Fill, contract: Contract, trader_id: str, setup: str, *, is_reduce_only: bool) -> None:
        """Book a fill; `setup` names the position it opens, if it opens one."""
        position = self._position(fill.position_id, contract)
        self._book_money(fill, contract, position)
        touched = [position]
        before = _exposed(touched)
        if position.quantity * fill.quantity >= 0:
            if position.quantity:
                position.extend(fill, fill.commission)
            elif not (is_reduce_only and _is_netting(fill)):  # such a fill has no position: another's was meant
                position.start(fill, fill.quantity, fill.commission, setup)
        elif abs(fill.quantity) <= abs(position.quantity):
            position.reduce(fill, fill.quantity, fill.commission)
        else:
            touched = self._flip(fill, position, trader_id, setup)
        self._expose(fill, before, _exposed(touched))

    def _book_money(self, fill: Fill, contract: Contract, position: FoldedPosition) -> None:
        if self.account.account_type == "CASH":
            self.account.book(fill, self.account.cash_changes(contract, fill))
        elif position.quantity * fill.quantity < 0:
            size = min(abs(position.quantity), abs(fill.quantity))
            profit = position.profit(size.copy_sign(position.quantity), fill.price)
            self.account.book(fill, {contract.settlement_currency: profit})
        else:
            self.account.book(fill, {})

    def _flip(self, fill: Fill, position: FoldedPosition, trader_id: str, setup: str) -> list[FoldedPosition]:
        """Close a position and open its opposite; return what is left. The fee is split by quantity."""
        closing = -position.quantity
        share = fill.commission * (closing / fill.quantity)
        commission = money(float(share), self.account.decimals[fill.commission_currency])
        position.reduce(fill, closing, commission)
        opened = position
        if fill.position_id.startswith("P-") and not _is_netting(fill):
            opened = self._position(self._next_id(fill, trader_id), position.contract)
        opened.start(fill, fill.quantity - closing, fill.commission - commission, setup)
        return [opened] if opened is position else [position, opened]

    def _next_id(self, fill: Fill, trader_id: str) -> str:
        """Return the id the engine makes up for a flipped position: the strategy's next number, and an F."""
        numbers = [0]
        for name, position in self.positions.items():
            match = _GENERATED_ID.fullmatch(name)
            if match and position.strategy_id == fill.strategy_id:
                numbers.append(int(match[1]))
        stamp = compact_utc(fill.ts_event)
        tags = f"{trader_id.rpartition('-')[2]}-{fill.strategy_id.rpartition('-')[2]}"
        return f"P-{stamp[:8]}-{stamp[9:15]}-{tags}-{max(numbers) + 1}F"

    def _position(self, position_id: str, contract: Contract) -> FoldedPosition:
        position = self.positions.get(position_id)
        if position is None:
            decimals = self.account.decimals[contract.settlement_currency]
            position = self.positions[position_id] = FoldedPosition(position_id, contract, decimals)
        return position

    def _expose(self, fill: Fill, before: Exposure, after: Exposure) -> None:
        rows = self.exposure.setdefault(fill.instrument_id, [])
        last = rows[-1] if rows else Exposure(0, ZERO, ZERO, ZERO)
        changed = (kept + new - old for kept, new, old in zip(last[1:], after[1:], before[1:], strict=True))
        rows.append(Exposure(fill.ts_event, *changed))


def _is_netting(fill: Fill) -> bool:
    return fill.position_id == f"{fill.instrument_id}-{fill.strategy_id}"


def _exposed(positions: Iterable[FoldedPosition]) -> Exposure:
    net = gross = cost = ZERO
    for position in positions:
        if position.quantity:
            net += position.quantity
            gross += abs(position.quantity)
            cost += position.contract.value(position.quantity, position.price_open)
    return Exposure(0, net, gross, cost)
