"""Reads request parameters: every value is text until it is what it must be, or the refusal is raised."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from tc.venue.exchange import refusal
from tc.venue.exchange.refusal import Refusal

_DIGITS_MAX = 30


class Refused(Exception):
    """Carries a refusal out of a handler; never leaves the server."""

    def __init__(self, found: Refusal) -> None:
        self.refusal = found
        super().__init__(found.message)


class Parameters:
    """The parameters of one request."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def has(self, name: str) -> bool:
        """Tell whether a parameter was sent and is not empty."""
        return bool(self._values.get(name))

    def text(self, name: str, default: str | None = None) -> str:
        """Return a text."""
        value = self._values.get(name) or default
        if value is None:
            raise Refused(refusal.missing(name))
        return value

    def whole(self, name: str, default: int | None = None) -> int:
        """Return an integer of at most 18 digits."""
        if default is not None and not self.has(name):
            return default
        value = self.text(name)
        if not value.removeprefix("-").isascii() or not value.removeprefix("-").isdigit() or len(value) > 18:
            raise Refused(refusal.missing(name))
        return int(value)

    def decimal(self, name: str, default: Decimal | None = None) -> Decimal:
        """Return an exact number of at most 30 digits."""
        if default is not None and not self.has(name):
            return default
        try:
            value = Decimal(self.text(name))
        except InvalidOperation:
            raise Refused(refusal.missing(name)) from None
        parts = value.as_tuple()
        if not isinstance(parts.exponent, int) or len(parts.digits) + abs(parts.exponent) > _DIGITS_MAX:
            raise Refused(refusal.missing(name))
        return value

    def flag(self, name: str) -> bool:
        """Return a flag; clients write true, True or TRUE."""
        value = self._values.get(name, "false").lower()
        if value not in ("true", "false"):
            raise Refused(refusal.missing(name))
        return value == "true"
