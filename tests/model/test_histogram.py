"""Histograms: every second is in one bucket, and a document says the same as what it was made of."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tc.model.histogram import LATENCY_BOUNDS, LONG_BOUNDS, Histogram

SECONDS = st.lists(st.floats(min_value=0, max_value=1e4), max_size=30)


@given(SECONDS, SECONDS)
def test_buckets_count_what_is_at_most_that_long(one: list[float], two: list[float]) -> None:
    """Cumulative counts are those of a plain count, and merging is adding."""
    found = Histogram.of(one)
    found.merge(Histogram.of(two))
    everything = one + two
    for bound, count in found.cumulative():
        assert count == sum(bound is None or each <= bound for each in everything)
    assert found.count == len(everything)
    assert found.total == pytest.approx(sum(everything))


@given(SECONDS)
def test_a_document_gives_back_the_same(seconds: list[float]) -> None:
    """It has whole numbers only, and sums to the microsecond."""
    found = Histogram.of(seconds)
    document = json.loads(json.dumps(found.as_json()))
    assert all(isinstance(each, int) for each in (*document["bounds_us"], *document["counts"], document["sum_us"]))
    back = Histogram.of_json(document)
    assert back.counts == found.counts
    assert back.total == pytest.approx(found.total, abs=1e-6)


def test_other_buckets_are_left_out_and_nonsense_is_refused() -> None:
    """A document of an older version adds nothing; one that is no histogram is an error."""
    document = Histogram.of([1.0], LONG_BOUNDS).as_json()
    assert Histogram.of_json(document, LATENCY_BOUNDS).count == 0
    assert Histogram.of_json(None).count == 0
    for bad in ({}, {"bounds_us": document["bounds_us"], "counts": [1], "sum_us": 1}, 7):
        with pytest.raises((KeyError, TypeError, ValueError)):
            Histogram.of_json(bad, LONG_BOUNDS)


def test_a_clock_that_went_back_counts_as_no_time() -> None:
    """Below zero there is no bucket."""
    found = Histogram.of([-1.0])
    assert (found.counts[0], found.total) == (1, 0.0)
