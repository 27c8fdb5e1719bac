"""Reads what the control port is asked for; unknown words and wrong values are refused by name."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Any

COUNT_MAX = 1_000_000


class Bad(Exception):
    """What was asked for cannot be done; the text says what was expected."""


class Wishes:
    """The words of one request. `done` refuses those that nobody read."""

    def __init__(self, values: dict[str, Any]) -> None:
        self._values = values
        self._read = {"kind"}

    def choice(self, name: str, allowed: Iterable[str], default: str | None = None) -> str:
        """Return one of the allowed words."""
        value = self._take(name, default)
        if value not in allowed:
            raise Bad(f"{name} was {value!r}, expected one of {', '.join(sorted(allowed))}")
        return str(value)

    def text(self, name: str, default: str | None = None) -> str:
        """Return a text."""
        value = self._take(name, default)
        if not isinstance(value, str):
            raise Bad(f"{name} was {value!r}, expected a text")
        return value

    def count(self, name: str, default: int | None = None, least: int = 1) -> int:
        """Return a whole number."""
        value = self._take(name, default)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= COUNT_MAX:
            raise Bad(f"{name} was {value!r}, expected a whole number from {least} to {COUNT_MAX}")
        return value

    def code(self, name: str, default: int) -> int:
        """Return an error code, which is negative."""
        value = self._take(name, default)
        if not isinstance(value, int) or value >= 0:
            raise Bad(f"{name} was {value!r}, expected a negative whole number")
        return value

    def seconds(self, name: str, default: float | None = None) -> float:
        """Return a duration."""
        value = self._take(name, default)
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= COUNT_MAX:
            raise Bad(f"{name} was {value!r}, expected seconds")
        return float(value)

    def flag(self, name: str, *, default: bool) -> bool:
        """Return true or false."""
        value = self._take(name, default)
        if not isinstance(value, bool):
            raise Bad(f"{name} was {value!r}, expected true or false")
        return value

    def decimal(self, name: str, default: Decimal | None = None) -> Decimal:
        """Return an exact number, given as text."""
        value = self._take(name, default)
        if isinstance(value, Decimal):
            return value
        try:
            number = Decimal(value) if isinstance(value, str) else Decimal("NaN")
        except InvalidOperation:
            number = Decimal("NaN")
        if not number.is_finite():
            raise Bad(f'{name} was {value!r}, expected a number as text such as "100.5"')
        return number

    def words(self) -> dict[str, str]:
        """Return all words that were not read yet, as texts; for orders, whose words the exchange judges."""
        rest = {key: value for key, value in self._values.items() if key not in self._read}
        self._read |= set(rest)
        return {key: str(value) for key, value in rest.items()}

    def done(self) -> None:
        """Refuse words that nobody read."""
        unknown = sorted(set(self._values) - self._read)
        if unknown:
            raise Bad(f"{unknown[0]!r} means nothing here; known are {', '.join(sorted(self._read))}")

    def _take(self, name: str, default: Any) -> Any:
        self._read.add(name)
        value = self._values.get(name, default)
        if value is None:
            raise Bad(f"{name} is missing")
        return value
