"""Intervals and gaps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tc.data.dataset_info import GAPS_LISTED_MAX, Gap
from tc.data.interval import agreed_step, find_gaps, modal_step
from tc.data.step import parse_step, step_text
from tc.errors import DatasetInvalid, InputError


def times(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.uint64)


@given(st.integers(1, 999_999), st.sampled_from("smhdw"))
def test_a_step_is_what_its_text_says(count: int, unit: str) -> None:
    """Text of a step and its nanoseconds mean each other."""
    step_ns = parse_step(f"{count}{unit}")

    assert parse_step(step_text(step_ns)) == step_ns


@pytest.mark.parametrize("text", ["", "1", "m", "0m", "1.5h", "-1m", "1M", "1y", "1 m", "9999999s"])
def test_a_step_of_no_length_is_refused(text: str) -> None:
    """Text that is no bar interval is refused with an example."""
    with pytest.raises(InputError, match="expected a number and a unit such as 30s, 1m"):
        parse_step(text)


def test_the_step_is_the_most_frequent_distance() -> None:
    """Gaps and disorder do not change the interval; of two equally frequent ones the smaller counts."""
    assert modal_step(times(0, 60, 120, 500, 560)) == 60
    assert modal_step(times(0, 60, 120, 30, 90)) == 60
    assert modal_step(times(0, 60, 180)) == 60
    assert modal_step(times(7)) is None
    assert modal_step(times(7, 7)) is None


def test_a_given_step_may_be_smaller_and_not_larger() -> None:
    """Bars may be missing, so a smaller step can be true; they cannot overlap, so a larger one cannot."""
    assert agreed_step(60, 120, "x") == 60
    assert agreed_step(None, 120, "x") == 120
    assert agreed_step(60, None, "x") == 60
    with pytest.raises(DatasetInvalid, match="step was given as 2m, but most bars are 1m apart"):
        agreed_step(120 * 10**9, 60 * 10**9, "x")
    with pytest.raises(DatasetInvalid, match=r"give it, e\.g\. --step 1m"):
        agreed_step(None, None, "x")


def test_gaps_are_counted_and_listed() -> None:
    """Every gap counts with its missing bars; the first ones are listed with both neighbors."""
    summary = find_gaps(times(10, 20, 50, 60, 100), 10)

    assert (summary.count, summary.missing_bars, summary.largest_missing_bars) == (2, 5, 3)
    assert summary.first == (Gap(20, 50, 2), Gap(60, 100, 3))


def test_a_bar_that_comes_late_is_no_gap() -> None:
    """Distances are rounded to whole steps."""
    summary = find_gaps(times(0, 1000, 2015, 3000, 4600), 1000)

    assert summary.first == (Gap(3000, 4600, 1),)


def test_a_long_list_of_gaps_is_cut() -> None:
    """More gaps than are listed still count."""
    summary = find_gaps(np.arange(0, 1000, 20, dtype=np.uint64), 10)

    assert summary.count == 49
    assert len(summary.first) == GAPS_LISTED_MAX


@given(st.lists(st.integers(1, 9), min_size=1, max_size=50))
def test_missing_bars_and_present_ones_make_the_whole(steps: list[int]) -> None:
    """Bars that are there and bars that are missing add up to the time covered."""
    ts = np.cumsum([1, *steps]).astype(np.uint64)
    summary = find_gaps(ts, 1)

    assert summary.missing_bars + len(ts) == int(ts[-1] - ts[0]) + 1
