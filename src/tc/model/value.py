"""The texts of a RunSpec: names, money, moments and bar types, each refusing what it cannot mean.

Validators say what they expected; what was found, where, and on which line is added once, by `sentence.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema

from tc.clock import iso_utc, parse_utc_ns
from tc.errors import IdUnsafe
from tc.ids import ID_LENGTH_MAX, plain_id
from tc.model.number import NUMBER_PATTERN, decimal_text, to_decimal

__all__ = [
    "MONEY_PATTERN",
    "BarTypeText",
    "CurrencyCode",
    "DurationText",
    "InstrumentIdText",
    "MomentText",
    "MoneyText",
    "PlainName",
    "SpecName",
    "VariableName",
    "VenueName",
    "decimal_text",
    "duration_seconds",
    "money_text",
    "split_bar_type",
    "split_money",
]

SPEC_NAME_LENGTH_MAX = 48
MOMENT_NS_MAX = 2**63 - 1
_PLAIN_PATTERN = "[A-Za-z0-9][A-Za-z0-9._-]*"
_INSTRUMENT_ID_PATTERN = r"[!-~]{1,64}\.[A-Za-z0-9_]{1,32}"
_CURRENCY_PATTERN = r"[A-Z0-9]{2,16}"
MONEY_PATTERN = rf"{NUMBER_PATTERN} {_CURRENCY_PATTERN}"
_VENUE_PATTERN = r"[A-Za-z0-9_]{1,32}"
_VARIABLE_PATTERN = r"[A-Z][A-Z0-9_]{0,63}"
_MOMENT_PATTERN = (
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[-+][0-9]{2}:[0-9]{2})?)?"
)
_SECOND_STEPS = tuple(step for step in range(1, 60) if 60 % step == 0)
_HOUR_STEPS = tuple(step for step in range(1, 24) if 24 % step == 0)
_STEPS = {"SECOND": _SECOND_STEPS, "MINUTE": _SECOND_STEPS, "HOUR": _HOUR_STEPS}
_BAR_TYPE = re.compile(
    r"(?P<instrument>[!-~]+\.[A-Za-z0-9_]+)-(?P<step>[1-9][0-9]{0,2})-(?P<unit>SECOND|MINUTE|HOUR|DAY|WEEK)"
    r"-(?P<price>LAST|MID|BID|ASK)-EXTERNAL"
)


def split_money(text: str) -> tuple[Decimal, str]:
    """Return amount and currency of `'10000 USDT'`; the text was validated before."""
    amount, currency = text.split(" ")
    return Decimal(amount), currency


def split_bar_type(text: str) -> tuple[str, str, str]:
    """Return instrument id, period (`1-MINUTE`) and price type of a bar type that was validated before."""
    instrument_id, step, unit, price_type, _ = text.rsplit("-", 4)
    return instrument_id, f"{step}-{unit}", price_type


def _matching(pattern: str, expected: str) -> Callable[[str], str]:
    compiled = re.compile(pattern)

    def check(text: str) -> str:
        if compiled.fullmatch(text) is None:
            raise ValueError(f"expected {expected}")
        return text

    return check


def _plain_name(length_max: int) -> Callable[[str], str]:
    def check(text: str) -> str:
        try:
            plain_id(text, "name")
        except IdUnsafe:
            is_plain = False
        else:
            is_plain = len(text) <= length_max
        if not is_plain:
            raise ValueError(
                "expected a plain name: letters, digits, '.', '_' and '-', first a letter or digit, no '..', "
                f"at most {length_max} characters"
            )
        return text

    return check


def money_text(text: str) -> str:
    """Return a positive amount and its currency in the one form that is compared; raise ValueError otherwise."""
    amount, _, currency = text.partition(" ")
    try:
        number = to_decimal(amount)
    except ValueError:
        number = Decimal(0)
    if number <= 0 or re.fullmatch(_CURRENCY_PATTERN, currency) is None:
        raise ValueError("expected a positive amount and a currency such as '10000 USDT'")
    return f"{decimal_text(number)} {currency}"


def _moment(text: str) -> str:
    try:
        ts_ns = parse_utc_ns(text) if re.fullmatch(_MOMENT_PATTERN, text) else -1
    except ValueError:
        ts_ns = -1
    if not 0 <= ts_ns <= MOMENT_NS_MAX:
        raise ValueError("expected a date or time such as 2022-01-31T12:00:00 (UTC unless a zone is given)")
    whole, _, fraction = iso_utc(ts_ns).removesuffix("Z").partition(".")
    fraction = fraction.rstrip("0")
    return f"{whole}.{fraction}Z" if fraction else f"{whole}Z"


def _bar_type(text: str) -> str:
    match = _BAR_TYPE.fullmatch(text)
    if match is None:
        raise ValueError(
            "expected a bar type such as BTCUSDT-PERP.BINANCE-1-MINUTE-LAST-EXTERNAL "
            "(SECOND, MINUTE, HOUR, DAY or WEEK; LAST, MID, BID or ASK)"
        )
    steps = _STEPS.get(match["unit"])
    if steps is not None and int(match["step"]) not in steps:
        raise ValueError(f"expected a step of {', '.join(map(str, steps))} for {match['unit']}")
    return text


_UNIT_SECONDS = {"SECOND": 1, "MINUTE": 60, "HOUR": 3_600, "DAY": 86_400, "WEEK": 604_800}


def bar_seconds(bar_type: str) -> int:
    """Return the seconds between two bars of a bar type that was validated before."""
    step, unit = split_bar_type(bar_type)[1].split("-")
    return int(step) * _UNIT_SECONDS[unit]


_DURATION = re.compile(r"([1-9][0-9]{0,6})(s|m|h|d)")
_DURATION_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def duration_seconds(text: str) -> int:
    """Return the seconds of a duration such as `90s`, `30m`, `8h` or `2d` that was validated before."""
    match = _DURATION.fullmatch(text)
    assert match is not None, "durations were validated"
    return int(match[1]) * _DURATION_SECONDS[match[2]]


def _text_schema(pattern: str, **more: int) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": f"^{pattern}$", **more})


PlainName = Annotated[
    str, AfterValidator(_plain_name(ID_LENGTH_MAX)), _text_schema(_PLAIN_PATTERN, maxLength=ID_LENGTH_MAX)
]
SpecName = Annotated[
    str,
    AfterValidator(_plain_name(SPEC_NAME_LENGTH_MAX)),
    _text_schema(_PLAIN_PATTERN, maxLength=SPEC_NAME_LENGTH_MAX),
]
VenueName = Annotated[
    str,
    AfterValidator(_matching(_VENUE_PATTERN, "letters, digits and '_', at most 32 characters, such as BINANCE")),
    _text_schema(_VENUE_PATTERN),
]
VariableName = Annotated[
    str,
    AfterValidator(
        _matching(_VARIABLE_PATTERN, "the NAME of an environment variable in capitals, never the key itself")
    ),
    _text_schema(_VARIABLE_PATTERN),
]
InstrumentIdText = Annotated[
    str,
    AfterValidator(_matching(_INSTRUMENT_ID_PATTERN, "SYMBOL.VENUE such as BTCUSDT-PERP.BINANCE")),
    _text_schema(_INSTRUMENT_ID_PATTERN),
]
CurrencyCode = Annotated[
    str,
    AfterValidator(_matching(_CURRENCY_PATTERN, "a currency code in capitals such as USDT")),
    _text_schema(_CURRENCY_PATTERN),
]
MoneyText = Annotated[str, AfterValidator(money_text), _text_schema(MONEY_PATTERN)]
MomentText = Annotated[str, AfterValidator(_moment), _text_schema(_MOMENT_PATTERN)]
DurationText = Annotated[
    str,
    AfterValidator(_matching(_DURATION.pattern, "a duration such as 90s, 30m, 8h or 2d")),
    _text_schema(_DURATION.pattern),
]
BarTypeText = Annotated[str, AfterValidator(_bar_type), _text_schema(re.sub(r"\?P<\w+>", "", _BAR_TYPE.pattern))]
