"""The values of limits: money, quantities, rates, fractions and counts, each of which may say `unlimited`.

Validators say what they expected; what was found, where, and on which line is added once, by `sentence.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any, Final, Literal

from pydantic import Discriminator, PlainSerializer, PlainValidator, Tag, WithJsonSchema

from tc.model.number import NUMBER_PATTERN, to_decimal
from tc.model.value import MONEY_PATTERN, decimal_text, money_text

UNLIMITED: Final = "unlimited"
COUNT_MAX = 1_000_000
RATE_PATTERN = r"[1-9][0-9]{0,5}/([1-9][0-9]{0,4})?(s|min|h)"
_UNIT_NS = {"s": 1_000_000_000, "min": 60_000_000_000, "h": 3_600_000_000_000}


def split_rate(text: str) -> tuple[int, int]:
    """Return count and window in ns of `20/s` or `100/10min`; the text was validated before."""
    count, _, window = text.partition("/")
    unit = window.lstrip("0123456789")
    return int(count), int(window.removesuffix(unit) or 1) * _UNIT_NS[unit]


def _limit(read: Callable[[Any], Any], expected: str) -> PlainValidator:
    def check(value: Any) -> Any:
        if value == UNLIMITED:
            return value
        try:
            return read(value)
        except ValueError:
            raise ValueError(f"expected {expected}, or unlimited") from None

    return PlainValidator(check)


def _money(value: Any) -> str:
    return money_text(value if isinstance(value, str) else "")


def _positive(value: Any) -> Decimal:
    number = to_decimal(value)
    if number <= 0:
        raise ValueError("not above zero")
    return number


def _fraction(value: Any) -> Decimal:
    number = _positive(value)
    if number > 1:
        raise ValueError("above one")
    return number


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= COUNT_MAX:
        raise ValueError("not a count")
    return value


def _rate(value: Any) -> str:
    if not isinstance(value, str) or re.fullmatch(RATE_PATTERN, value) is None:
        raise ValueError("not a rate")
    count, _, window = value.partition("/")
    return f"{count}/{window.removeprefix('1') if re.fullmatch('1[a-z]+', window) else window}"


def _kind(value: Any) -> str:
    return "[each]" if isinstance(value, dict) else "[one]"


def _text(value: Decimal | str) -> str:
    return value if isinstance(value, str) else decimal_text(value)


def _schema(*forms: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [{"const": UNLIMITED}, *forms]}


def _each_schema(one: dict[str, Any]) -> WithJsonSchema:
    return WithJsonSchema({"anyOf": [*one["anyOf"], {"type": "object", "additionalProperties": one}]})


_NUMBER_TEXT = {"type": "string", "pattern": f"^{NUMBER_PATTERN}$"}
_MONEY_SCHEMA = _schema({"type": "string", "pattern": f"^{MONEY_PATTERN}$"})
_QUANTITY_SCHEMA = _schema({"type": "number", "exclusiveMinimum": 0}, _NUMBER_TEXT)
_AS_TEXT = PlainSerializer(_text, return_type=str, when_used="json")

MoneyLimit = Annotated[
    str, _limit(_money, "a positive amount and a currency such as '100000 USDT'"), WithJsonSchema(_MONEY_SCHEMA)
]
QuantityLimit = Annotated[
    Decimal | Literal["unlimited"],
    _limit(_positive, "a number above zero such as 2.5"),
    _AS_TEXT,
    WithJsonSchema(_QUANTITY_SCHEMA),
]
FractionLimit = Annotated[
    Decimal | Literal["unlimited"],
    _limit(_fraction, "a fraction above 0 and up to 1 such as 0.05"),
    _AS_TEXT,
    WithJsonSchema(_schema({"type": "number", "exclusiveMinimum": 0, "maximum": 1}, _NUMBER_TEXT)),
]
CountLimit = Annotated[
    int | Literal["unlimited"],
    _limit(_count, f"a whole number from 1 to {COUNT_MAX}"),
    WithJsonSchema(_schema({"type": "integer", "minimum": 1, "maximum": COUNT_MAX})),
]
RateLimit = Annotated[
    str,
    _limit(_rate, "a count in a time such as 20/s, 300/min or 100/10s"),
    WithJsonSchema(_schema({"type": "string", "pattern": f"^{RATE_PATTERN}$"})),
]
MoneyLimits = Annotated[
    Annotated[MoneyLimit, Tag("[one]")] | Annotated[dict[str, MoneyLimit], Tag("[each]")],
    Discriminator(_kind),
    _each_schema(_MONEY_SCHEMA),
]
QuantityLimits = Annotated[
    Annotated[QuantityLimit, Tag("[one]")] | Annotated[dict[str, QuantityLimit], Tag("[each]")],
    Discriminator(_kind),
    _each_schema(_QUANTITY_SCHEMA),
]
