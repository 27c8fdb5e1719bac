"""Numbers and words of a ledger command, checked before anything is locked or written."""

from __future__ import annotations

from decimal import Context, Decimal, InvalidOperation
from typing import get_args

from tc.errors import InputError
from tc.risk.intent import Side

ARITHMETIC = Context(prec=64)
"""Of everything the ledger computes: the same digits whatever context the program around has set."""
ZERO = Decimal(0)
_ONE = Decimal(1)
_MONEY_STEP = Decimal("1e-16")
DIGITS_MAX = 28
DECIMALS_MAX = 16
AMOUNT_MAX = Decimal("17014118346046")
"""The engine's largest price and amount of money."""
TEXT_LENGTH_MAX = 200

Number = Decimal | int | str


def number_of(value: Number, what: str, *, is_signed: bool = False) -> Decimal:
    """Return the exact number in `value`; raise InputError where it is not finite or not exact.

    It must be above zero unless `is_signed`. Floats are refused: 0.1 is not a tenth.
    """
    try:
        number = Decimal(value) if isinstance(value, Decimal | int | str) and not isinstance(value, bool) else None
    except InvalidOperation:
        number = None
    if number is None:
        raise InputError(f"{what} must be a decimal number given as text, was {value!r}; write it as '0.1'")
    if not number.is_finite() or number.copy_abs() > AMOUNT_MAX:
        raise InputError(f"{what} must be a finite number of at most {AMOUNT_MAX:,}, was {value}; correct it")
    # First what would be rounded below, or would take a million zeros to write.
    is_exact = len(number.as_tuple().digits) <= ARITHMETIC.prec and (not number or number.adjusted() >= -DECIMALS_MAX)
    plain = number.normalize(ARITHMETIC) or ZERO
    _, digits, exponent = plain.as_tuple()
    if not is_exact or len(digits) > DIGITS_MAX or -int(exponent) > DECIMALS_MAX:
        raise InputError(
            f"{what} must have at most {DIGITS_MAX} digits, {DECIMALS_MAX} of them decimals, was {value}; round it"
        )
    if int(exponent) > 0:
        plain = plain.quantize(_ONE, context=ARITHMETIC)  # 1E+2 is written 100
    if plain <= 0 and not is_signed:
        raise InputError(f"{what} must be above zero, was {value}; correct it")
    return plain


def money_of(number: Decimal) -> Decimal:
    """Return an amount of money with at most 16 decimals: sums of such amounts are exact to the last digit."""
    return number if int(number.as_tuple().exponent) >= -DECIMALS_MAX else number.quantize(_MONEY_STEP)


def optional_number(value: Number | None, what: str) -> Decimal | None:
    """Return the number above zero in `value`, or None where none is given."""
    return None if value is None else number_of(value, what)


def side_of(value: str) -> Side:
    """Return `value` as a side; raise InputError where it is neither BUY nor SELL."""
    sides: tuple[Side, ...] = get_args(Side)
    for side in sides:
        if value == side:
            return side
    raise InputError(f"the side must be BUY or SELL, was {value!r}")


def name_of(value: str, what: str) -> str:
    """Return `value` if it is a printable word of at most 200 characters; raise InputError otherwise."""
    if isinstance(value, str) and 0 < len(value) <= TEXT_LENGTH_MAX and value.isprintable() and value == value.strip():
        return value
    raise InputError(f"{what} must be 1 to {TEXT_LENGTH_MAX} printable characters without blanks around, was {value!r}")


def text_of(value: str, what: str) -> str:
    """Return `value` if it is free text of at most 2,000 characters; raise InputError otherwise."""
    if (
        isinstance(value, str)
        and len(value) <= 10 * TEXT_LENGTH_MAX
        and all(c.isprintable() or c == "\n" for c in value)
    ):
        return value
    raise InputError(f"{what} must be at most {10 * TEXT_LENGTH_MAX} printable characters, was {value!r}")
