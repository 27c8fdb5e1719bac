"""Numbers and times are printed so that nobody misreads them."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as draw

from tc.evidence.report_number import (
    ABSENT,
    MINUS,
    counted,
    days,
    decimals_for,
    duration,
    moment,
    percent,
    plain,
    signed,
    signed_percent,
    wall_time,
)


@pytest.mark.parametrize(
    ("number", "decimals", "text"),
    [
        (1234567.891, 2, "1,234,567.89"),
        (-0.5, 1, f"{MINUS}0.5"),
        (-0.004, 2, "0.00"),
        (Decimal("-1000.10"), 2, f"{MINUS}1,000.10"),
        (0, 0, "0"),
        (None, 2, ABSENT),
        (math.nan, 2, ABSENT),
        (math.inf, 2, ABSENT),
    ],
)
def test_plain_numbers(number: Any, decimals: int, text: str) -> None:
    """Thousands are separated, minus is a minus sign, zero has no sign, and what is no number is a dash."""
    assert plain(number, decimals) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [(1.5, "+1.50"), (-1.5, f"{MINUS}1.50"), (0.001, "0.00"), (-0.001, "0.00"), (0, "0.00"), (None, ABSENT)],
)
def test_signed_numbers(number: float | None, text: str) -> None:
    """A gain has a plus, a loss a minus, and what is printed as zero neither."""
    assert signed(number, 2) == text


@pytest.mark.parametrize(
    ("fraction", "text"),
    [
        (0.1234, "12.34%"),
        (0.000123, "0.0123%"),
        (0.0, "0.00%"),
        (123.4, "12,340%"),
        (-0.0081, f"{MINUS}0.81%"),
        (None, ABSENT),
    ],
)
def test_percentages(fraction: float | None, text: str) -> None:
    """A percentage has two decimals; a tiny one has four, so that it is not printed as nothing."""
    assert percent(fraction) == text


def test_signed_percentage() -> None:
    """A signed percentage keeps its plus."""
    assert signed_percent(0.05) == "+5.00%"


@pytest.mark.parametrize(
    ("numbers", "decimals"),
    [([8063.29, 0.1], 2), ([12.913], 3), ([0.00123], 7), ([1_000_000.0], 2), ([0.0], 2), ([], 2), ([None, 1.5], 4)],
)
def test_decimals_suit_the_largest_number(numbers: list[float | None], decimals: int) -> None:
    """A column has about five digits for its largest number, and never fewer than two decimals."""
    assert decimals_for(numbers) == decimals


def test_decimals_never_exceed_the_currency() -> None:
    """A currency of two decimals is not printed with seven."""
    assert decimals_for([0.00123], 2) == 2
    assert decimals_for([0.00123], 0) == 0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.25, "0.2 s"),
        (59, "59 s"),
        (930, "15 min 30 s"),
        (3600, "1 h"),
        (90_061, "1 d 1 h"),
        (86_401, "1 d"),
        (None, ABSENT),
    ],
)
def test_durations(seconds: float | None, text: str) -> None:
    """A span has its two largest units, without those that are zero."""
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"), [(0.44, "0.4 days"), (31.27, "31.3 days"), (400.2, "400 days"), (1902, "5.2 years")]
)
def test_days(count: float, text: str) -> None:
    """A period has the digits that its length deserves."""
    assert days(count) == text


def test_moments_are_utc() -> None:
    """Nanoseconds are printed in UTC, with seconds only where there are any."""
    assert moment(1_640_995_200_000_000_000) == "2022-01-01 00:00"
    assert moment(1_640_995_201_000_000_000) == "2022-01-01 00:00:01"
    assert moment(None) == ABSENT
    assert wall_time("2026-01-31T09:30:05.123456789Z") == "2026-01-31 09:30:05 UTC"
    assert wall_time(None) == ABSENT


def test_counts_have_their_plural() -> None:
    """One order, two orders, no entries."""
    assert (counted(1, "order"), counted(1200, "order")) == ("1 order", "1,200 orders")
    assert counted(0, "entry", "entries") == "0 entries"


@given(draw.one_of(draw.floats(), draw.integers(), draw.decimals()), draw.integers(0, 8))
def test_no_number_is_printed_as_nan(number: Any, decimals: int) -> None:
    """Whatever comes in, `nan`, `inf` and a hyphen for a minus never come out."""
    try:
        float(number)
    except (OverflowError, ValueError):  # a signaling NaN, or an integer beyond any double
        return
    for text in (plain(number, decimals), signed(number, decimals), percent(number), signed_percent(number)):
        assert "nan" not in text.lower()
        assert "inf" not in text.lower()
        assert "-" not in text
