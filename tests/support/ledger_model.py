"""The ledger as a plain model: dictionaries and fractions, no files, no entries, no fold."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

Key = tuple[str, str]


@dataclass
class Model:
    """What a ledger must say. `rows` holds signed quantity and average price, `working` open quantities."""

    cap: int
    capital: Fraction = Fraction(0)
    cash: Fraction = Fraction(0)
    rows: dict[Key, tuple[Fraction, Fraction]] = field(default_factory=dict)
    working: dict[str, tuple[Key, str, Fraction]] = field(default_factory=dict)
    done: dict[str, tuple[object, ...]] = field(default_factory=dict)

    @property
    def realized(self) -> Fraction:
        """Cash that went in and out, plus what the open rows cost: no profit is computed anywhere."""
        return self.cash + sum((quantity * price for quantity, price in self.rows.values()), Fraction(0))

    def expect(self, verb: str, command_id: str, *arguments: object) -> str:
        """Return the code that the command is to be refused with; "done" where it is to be carried out or was."""
        if command_id in self.done:
            return "done" if self.done[command_id] == (verb, *arguments) else "COMMAND_REUSED"
        return str(getattr(self, f"_expect_{verb}")(*arguments))

    def carry_out(self, verb: str, command_id: str, *arguments: object) -> None:
        """Do what the command says; a repeated one changes nothing."""
        if command_id not in self.done:
            self.done[command_id] = (verb, *arguments)
            getattr(self, f"_do_{verb}")(command_id, *arguments)

    def _is_over_cap(self, key: Key) -> bool:
        taken = set(self.rows) | {where for where, _, _ in self.working.values()}
        return key not in self.rows and len(taken | {key}) > self.cap

    def _expect_open(self, key: Key, side: str, quantity: str, price: str, fee: str) -> str:
        held = self.rows.get(key)
        if held is not None and (held[0] > 0) != (side == "BUY"):
            return "OPPOSITE_POSITION"
        return "OPEN_POSITIONS" if self._is_over_cap(key) else "done"

    def _expect_reduce(self, key: Key, quantity: str, price: str, fee: str) -> str:
        if key not in self.rows:
            return "NO_POSITION"
        return "REDUCE_BEYOND_SIZE" if Fraction(quantity) > abs(self.rows[key][0]) else "done"

    def _expect_close(self, key: Key, price: str, fee: str) -> str:
        return "done" if key in self.rows else "NO_POSITION"

    def _expect_reserve(self, key: Key, side: str, quantity: str, price: str) -> str:
        return "OPEN_POSITIONS" if self._is_over_cap(key) else "done"

    def _expect_change(self, reservation_id: str, quantity: str, price: str) -> str:
        if reservation_id not in self.working:
            return "NO_RESERVATION"
        return "OPEN_POSITIONS" if self._is_over_cap(self.working[reservation_id][0]) else "done"

    def _expect_note_change(self, reservation_id: str, quantity: str, price: str) -> str:
        return "done" if reservation_id in self.working else "NO_RESERVATION"

    def _expect_release(self, reservation_id: str) -> str:
        return "done" if reservation_id in self.working else "NO_RESERVATION"

    def _expect_commit_fill(self, *_arguments: object) -> str:
        return "done"

    def _expect_deposit(self, amount: str) -> str:
        return "done"

    def _expect_withdraw(self, amount: str) -> str:
        return "WITHDRAWAL_BEYOND_CASH" if Fraction(amount) > self.realized else "done"

    def _do_open(self, _id: str, key: Key, side: str, quantity: str, price: str, fee: str) -> None:
        self._fill(key, Fraction(quantity) * (1 if side == "BUY" else -1), Fraction(price), Fraction(fee))

    def _do_reduce(self, _id: str, key: Key, quantity: str, price: str, fee: str) -> None:
        sign = -1 if self.rows[key][0] > 0 else 1
        self._fill(key, sign * Fraction(quantity), Fraction(price), Fraction(fee))

    def _do_close(self, _id: str, key: Key, price: str, fee: str) -> None:
        self._fill(key, -self.rows[key][0], Fraction(price), Fraction(fee))

    def _do_reserve(self, command_id: str, key: Key, side: str, quantity: str, price: str) -> None:
        self.working[command_id] = (key, side, Fraction(quantity))

    def _do_change(self, _id: str, reservation_id: str, quantity: str, price: str) -> None:
        where, side, _ = self.working[reservation_id]
        self.working[reservation_id] = (where, side, Fraction(quantity))

    _do_note_change = _do_change

    def _do_release(self, _id: str, reservation_id: str) -> None:
        del self.working[reservation_id]

    def _do_commit_fill(
        self, _id: str, key: Key, side: str, quantity: str, price: str, fee: str, reservation_id: str | None
    ) -> None:
        if reservation_id in self.working:
            where, of, left = self.working[reservation_id]
            self.working[reservation_id] = (where, of, left - Fraction(quantity))
            if self.working[reservation_id][2] <= 0:
                del self.working[reservation_id]
        self._do_open(_id, key, side, quantity, price, fee)

    def _do_deposit(self, _id: str, amount: str) -> None:
        self.capital += Fraction(amount)
        self.cash += Fraction(amount)

    def _do_withdraw(self, _id: str, amount: str) -> None:
        self.capital -= Fraction(amount)
        self.cash -= Fraction(amount)

    def _fill(self, key: Key, signed: Fraction, price: Fraction, fee: Fraction) -> None:
        self.cash -= signed * price + fee
        quantity, average = self.rows.pop(key, (Fraction(0), Fraction(0)))
        total = quantity + signed
        if quantity * signed >= 0:
            average = (quantity * average + signed * price) / total
        elif quantity * total < 0:
            average = price
        if total:
            self.rows[key] = (total, average)
