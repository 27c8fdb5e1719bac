"""The numbers of a RunSpec: exact decimals that the engine can hold.

Validators say what they expected; what was found, where, and on which line is added once, by `sentence.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, WithJsonSchema

from tc.model.yaml_source import WrittenFloat

DECIMALS_MAX = 16
"""The engine's fixed-point precision: no price, quantity or amount can have more decimals."""
AMOUNT_MAX = 17_014_118_346_046
"""The engine's largest price and amount of money."""
NUMBER_LENGTH_MAX = 64
NUMBER_PATTERN = r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]{1,3})?"


def to_decimal(value: Any) -> Decimal:
    """Return the exact number that was written, without trailing zeros; raise ValueError otherwise."""
    text = decimal_text(to_written_decimal(value))
    plain = text.rstrip("0").rstrip(".") if "." in text else text
    return Decimal("0" if plain == "-0" else plain)


def to_written_decimal(value: Any) -> Decimal:
    """Return the exact number with the decimals it was written with: those of a step are a precision."""
    text = _number_text(value)
    if text is None:
        raise ValueError("expected a number such as 0.001")
    number = Decimal(text)
    if abs(number) > AMOUNT_MAX:
        raise ValueError(f"expected a number of at most {AMOUNT_MAX:,}")
    if decimals_of(number) > DECIMALS_MAX:
        raise ValueError(f"expected at most {DECIMALS_MAX} decimals")
    return number


def _number_text(value: Any) -> str | None:
    if isinstance(value, WrittenFloat):
        text = value.text
    elif isinstance(value, int | str | Decimal) and not isinstance(value, bool):
        text = str(value)
    else:
        return None
    fits = len(text) <= NUMBER_LENGTH_MAX and re.fullmatch(NUMBER_PATTERN, text) is not None
    return text if fits else None


def decimal_text(number: Decimal) -> str:
    """Return a decimal in plain digits, never with an exponent."""
    return format(number, "f")


def decimals_of(number: Decimal) -> int:
    """Return how many decimals a number was written with."""
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int):
        raise TypeError(f"{number} is not finite")
    return max(0, -exponent)


def is_multiple(number: Decimal, step: Decimal) -> bool:
    """Return whether `number` is a whole number of steps; Decimal's own remainder can overflow."""
    top, bottom = number.as_integer_ratio()
    step_top, step_bottom = step.as_integer_ratio()
    return top * step_bottom % (bottom * step_top) == 0


def _within(low: int, high: int, expected: str, *, low_open: bool = False) -> Callable[[Decimal], Decimal]:
    def check(number: Decimal) -> Decimal:
        if number < low or number > high or (low_open and number == low):
            raise ValueError(f"expected {expected}")
        return number

    return check


def _number_schema(**bounds: int) -> WithJsonSchema:
    text = {"type": "string", "pattern": f"^{NUMBER_PATTERN}$"}
    return WithJsonSchema({"anyOf": [{"type": "number", **bounds}, text]})


_AS_TEXT = PlainSerializer(decimal_text, return_type=str, when_used="json")
_MORE_THAN_ZERO = AfterValidator(_within(0, AMOUNT_MAX, "a number above zero", low_open=True))

PositiveDecimal = Annotated[
    Decimal, BeforeValidator(to_decimal), _MORE_THAN_ZERO, _AS_TEXT, _number_schema(exclusiveMinimum=0)
]
Increment = Annotated[
    Decimal,
    BeforeValidator(to_written_decimal),
    _MORE_THAN_ZERO,
    _AS_TEXT,
    _number_schema(exclusiveMinimum=0),
]
Leverage = Annotated[
    Decimal,
    BeforeValidator(to_decimal),
    AfterValidator(_within(1, 1000, "a leverage from 1 to 1000")),
    _AS_TEXT,
    _number_schema(minimum=1, maximum=1000),
]
Milliseconds = Annotated[
    Decimal,
    BeforeValidator(to_decimal),
    AfterValidator(_within(0, 3_600_000, "milliseconds from 0 to 3600000 (an hour)")),
    _AS_TEXT,
    _number_schema(minimum=0, maximum=3_600_000),
]
IntervalSeconds = Annotated[
    Decimal,
    BeforeValidator(to_decimal),
    AfterValidator(_within(0, 86_400, "seconds above 0 and up to 86400 (a day)", low_open=True)),
    _AS_TEXT,
    _number_schema(exclusiveMinimum=0, maximum=86_400),
]
Fraction = Annotated[
    Decimal,
    BeforeValidator(to_decimal),
    AfterValidator(_within(0, 1, "a fraction from 0 to 1")),
    _AS_TEXT,
    _number_schema(minimum=0, maximum=1),
]
Share = Annotated[
    Decimal,
    BeforeValidator(to_decimal),
    AfterValidator(_within(0, 1, "a share above 0 and up to 1 such as 0.2", low_open=True)),
    _AS_TEXT,
    _number_schema(exclusiveMinimum=0, maximum=1),
]
FeeRate = Annotated[
    Decimal,
    BeforeValidator(to_decimal),
    AfterValidator(_within(-1, 1, "a rate from -1 to 1 such as 0.0004 (a rebate is negative)")),
    _AS_TEXT,
    _number_schema(minimum=-1, maximum=1),
]
