"""An account folded from fills: balances and fees by currency, booked in the steps in which the engine books.

Source: NautilusTrader 1.231.0, `accounting/manager.pyx` (`_update_balance_single_currency`,
`_update_balance_multi_currency`), `accounting/accounts/cash.pyx` and `margin.pyx` (`calculate_pnls`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from tc.evidence.double import ZERO, Amount, amount, blur, money, to_double
from tc.evidence.position import Contract, Fill


@dataclass(slots=True)
class FoldedAccount:
    """Balances as the engine rounds them, and beside them what they would be unrounded.

    `residue_max` and `doubt` add up, by currency, what rounding may have cost and what it leaves undecided
    (see `Amount`). `history` has the balance after every fill that changed it, with the fill's time.
    """

    account_type: str = ""
    base_currency: str | None = None
    decimals: dict[str, int] = field(default_factory=dict)
    starting_balances: dict[str, Decimal] = field(default_factory=dict)
    balances: dict[str, Decimal] = field(default_factory=dict)
    exact: dict[str, Decimal] = field(default_factory=dict)
    residue_max: dict[str, Decimal] = field(default_factory=dict)
    doubt: dict[str, Decimal] = field(default_factory=dict)
    fees: dict[str, Decimal] = field(default_factory=dict)
    unvalued: list[str] = field(default_factory=list)
    history: dict[str, list[tuple[int, Decimal]]] = field(default_factory=dict)

    def fund(self, currency: str, total: Decimal) -> None:
        """Set a starting balance."""
        self.starting_balances[currency] = self.balances[currency] = self.exact[currency] = total

    def receive(self, currency: str, change: Decimal, ts_event: int) -> None:
        """Book money that comes in or goes out without a fill: funding, a transfer."""
        self.balances[currency] = self.balances.get(currency, ZERO) + change
        self.exact[currency] = self.exact.get(currency, ZERO) + change
        self.history.setdefault(currency, []).append((ts_event, self.balances[currency]))

    def book(self, fill: Fill, changes: dict[str, Amount]) -> None:
        """Book what a fill changes by currency, in this order, and its commission."""
        commission, currency = fill.commission, fill.commission_currency
        self.fees[currency] = self.fees.get(currency, ZERO) + commission
        if self.base_currency is not None:
            self._refuse_unvalued([*changes, currency])
        elif not self._can_pay(changes, commission, currency):
            return  # the engine logs an error and books nothing of the fill
        for name, change in changes.items():
            self._add(name, change.rounded - (commission if name == currency else ZERO))
            self.exact[name] = self.exact.get(name, ZERO) + change.exact
            self.residue_max[name] = self.residue_max.get(name, ZERO) + change.residue_max
            self.doubt[name] = self.doubt.get(name, ZERO) + change.doubt
        if currency not in changes and commission:
            self._deduct(currency, commission)
        if commission:
            self.exact[currency] = self.exact.get(currency, ZERO) - commission
        for name in {*changes, currency} & self.balances.keys():
            self.history.setdefault(name, []).append((fill.ts_event, self.balances[name]))

    def cash_changes(self, contract: Contract, fill: Fill) -> dict[str, Amount]:
        """Return what a fill moves in a CASH account: base currency one way, quote currency the other."""
        notional = to_double(abs(fill.quantity)) * to_double(contract.multiplier) * to_double(fill.price)
        exact = fill.quantity * contract.multiplier * fill.price
        paid = amount(notional, abs(exact), exact, 0, self.decimals[contract.quote_currency])
        changes = {}
        if self.base_currency is None:
            decimals = self.decimals[contract.base_currency]
            got = amount(float(abs(fill.quantity)), abs(fill.quantity), fill.quantity, 0, decimals)
            changes[contract.base_currency] = _signed(got, fill.quantity)
        changes[contract.quote_currency] = _signed(paid, -fill.quantity)
        return changes

    def _can_pay(self, changes: dict[str, Amount], commission: Decimal, currency: str) -> bool:
        for name, change in changes.items():
            net = change.rounded - (commission if name == currency else ZERO)
            if net < 0 and name not in self.balances:
                return False
        return currency in changes or commission <= 0 or currency in self.balances

    def _add(self, currency: str, change: Decimal) -> None:
        if change:
            self.balances[currency] = self.balances.get(currency, ZERO) + change

    def _deduct(self, currency: str, commission: Decimal) -> None:
        # Alone, a commission takes the whole balance through a double; only vast balances feel it.
        exact = self.balances.get(currency, ZERO) - commission
        decimals = self.decimals[currency]
        if self.base_currency is None:
            self.balances[currency] = money(float(exact), decimals)
            loss = blur(exact, decimals)
            self.residue_max[currency] = self.residue_max.get(currency, ZERO) + loss
        else:
            self.balances[currency] = exact

    def _refuse_unvalued(self, currencies: Iterable[str]) -> None:
        for currency in currencies:
            if currency != self.base_currency and currency not in self.unvalued:
                self.unvalued.append(currency)


def _signed(change: Amount, sign: Decimal) -> Amount:
    return change if sign > 0 else change._replace(rounded=-change.rounded, exact=-change.exact)
