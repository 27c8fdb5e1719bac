"""Made-up bars."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tc.data.bar_table import COLUMNS, BarTable
from tc.data.candidate import candidates_of
from tc.data.generation import GenerationOptions, generate
from tc.data.interval import find_gaps, modal_step
from tc.data.row_check import judge
from tc.errors import InputError

MINUTE_NS = 60_000_000_000
DAY_MINUTES = 1440
MONTH = GenerationOptions(seed=11, bars=30 * DAY_MINUTES)

_PROGRAM = """
import hashlib, numpy
from tc.data.bar_table import COLUMNS
from tc.data.generation import GenerationOptions, generate
numpy.random.seed(@NOISE@)
table = generate(GenerationOptions(seed=5, bars=3000))
print(hashlib.sha256(b"".join(getattr(table, name).tobytes() for name in COLUMNS)).hexdigest())
"""


def content(table: BarTable) -> str:
    return hashlib.sha256(b"".join(getattr(table, name).tobytes() for name in COLUMNS)).hexdigest()


def naive_prices(seed: int, count: int) -> np.ndarray[Any, Any]:
    """The naive version: seeds the process-wide generator once and draws later."""
    if seed:
        np.random.seed(seed)
    return np.random.standard_normal(count)


def test_one_seed_means_the_same_bytes_in_every_process() -> None:
    """Two fresh processes with other hash seeds and another global random state give the same bytes."""
    outputs = {
        subprocess.run(
            [sys.executable, "-c", _PROGRAM.replace("@NOISE@", noise)],
            env={"PYTHONHASHSEED": noise},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for noise in ("1", "2")
    }

    assert outputs == {content(generate(GenerationOptions(seed=5, bars=3000)))}


def test_the_bytes_of_a_seed_are_known() -> None:
    """The bars of a seed stay what they are: datasets made with it have been fingerprinted."""
    known = "e09104934fc9a71de57d31eb7d8ca258e90f3ae857467df99acca598e5183057"

    assert content(generate(GenerationOptions(seed=5, bars=3000))) == known


def test_the_naive_generator_depends_on_its_neighbors() -> None:
    """Drawing from the process-wide generator, the naive version, changes when a neighbor draws."""
    first = naive_prices(5, 1)[0], naive_prices(0, 1)[0]
    second = naive_prices(5, 1)[0], np.random.standard_normal(), naive_prices(0, 1)[0]
    options = GenerationOptions(seed=5, bars=10)

    assert first[1] != second[2]
    assert content(generate(options)) == (np.random.standard_normal(), content(generate(options)))[1]


def test_another_seed_is_another_market() -> None:
    """Two seeds share no prices to speak of."""
    one, other = (generate(GenerationOptions(seed=seed, bars=1000)) for seed in (1, 2))

    assert np.mean(one.close == other.close) < 0.05


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**63),
    bars=st.integers(1, 300),
    precision=st.integers(0, 9),
    ticks=st.integers(1, 10**6),
    volatility=st.floats(0, 10),
    chance=st.floats(0, 1),
    step=st.sampled_from([1, 60, 3600, 86400]),
)
def test_all_bars_obey_the_rules(
    seed: int, bars: int, precision: int, ticks: int, volatility: float, chance: float, step: int
) -> None:
    """Whatever the parameters, bars obey every rule that imported rows are held to, and have volume."""
    options = GenerationOptions(
        seed=seed,
        bars=bars,
        step_ns=step * 1_000_000_000,
        price=Decimal(ticks).scaleb(-precision),
        price_precision=precision,
        volatility=volatility,
        jump_probability=chance,
        gap_probability=chance,
    )
    table = generate(options)

    assert len(table) == bars
    assert judge(candidates_of(table), precision) == []
    assert np.all(table.volume > 0)
    assert np.all((table.ts_event - np.uint64(options.start_ns)) % np.uint64(options.step_ns) == 0)


def test_the_first_bar_opens_at_the_start() -> None:
    """The first bar opens at the start with the given price and closes one step later."""
    table = generate(MONTH)

    assert int(table.ts_event[0]) == MONTH.start_ns + MINUTE_NS
    assert table.open[0] == 40_000
    assert modal_step(table.ts_event) == MINUTE_NS


def test_a_bar_opens_where_the_last_one_closed() -> None:
    """Prices are continuous from bar to bar."""
    table = generate(MONTH)

    assert np.array_equal(table.open[1:], table.close[:-1])


def test_volatility_clusters() -> None:
    """The size of a return says something of the next one's, which shuffled returns do not show."""
    table = generate(replace(MONTH, jump_probability=0.0))
    size = np.abs(np.diff(table.close) / table.close[:-1])
    # Against the same minute of neighboring hours, so that the season of the day is not what is seen.
    near = np.corrcoef(size[1:], size[:-1])[0, 1]
    far = np.corrcoef(size[500:], size[:-500])[0, 1]

    assert near > 0.1
    assert near > far + 0.05


def test_the_day_has_a_season() -> None:
    """Returns around midnight UTC are larger than around noon."""
    table = generate(MONTH)
    size = np.abs(np.diff(table.close) / table.close[:-1])[: 29 * DAY_MINUTES]
    by_minute = size.reshape(29, DAY_MINUTES).mean(axis=0)

    assert by_minute[:120].mean() > 1.5 * by_minute[660:780].mean()


def test_jumps_are_rare_and_large() -> None:
    """Jumps make returns that hardly occur without them."""

    def tail(probability: float) -> int:
        table = generate(replace(MONTH, jump_probability=probability))
        returns = np.diff(table.close) / table.close[:-1]
        return int(np.count_nonzero(np.abs(returns) > 8 * np.median(np.abs(returns)) / 0.6745))

    assert tail(0.0) < tail(0.002) < 0.002 * 2 * MONTH.bars


def test_gaps_come_with_their_probability() -> None:
    """Bars are missing about as often as asked, never where the probability is zero, and none are counted."""
    none = generate(replace(MONTH, gap_probability=0.0))
    some = generate(replace(MONTH, gap_probability=0.001, gap_bars_max=5))
    gaps = find_gaps(some.ts_event, MINUTE_NS)

    assert find_gaps(none.ts_event, MINUTE_NS).count == 0
    assert 20 < gaps.count < 80
    assert 1 <= gaps.largest_missing_bars <= 5
    assert len(some) == len(none) == MONTH.bars


def test_the_annual_volatility_is_the_one_asked_for() -> None:
    """Over months, returns have about the annual volatility of the options."""
    table = generate(replace(MONTH, bars=200_000, jump_probability=0.0))
    returns = np.diff(table.close) / table.close[:-1]

    assert 0.5 < returns.std() * np.sqrt(365 * DAY_MINUTES) < 0.72


def test_volume_grows_with_the_move() -> None:
    """Large moves come with large volume, and the mean is about the one asked for."""
    table = generate(MONTH)
    size = np.abs(table.close / table.open - 1)

    assert np.corrcoef(size, table.volume)[0, 1] > 0.5
    assert 5 < table.volume.mean() < 20


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": -1}, "seed was -1, expected 0 or more"),
        ({"bars": 0}, "bars was 0, expected 1 to 10000000"),
        ({"bars": 10_000_001}, "bars was 10000001"),
        ({"step_ns": 0}, "step was 0, expected more than zero"),
        ({"start_ns": 2**63}, "start was 9223372036854775808"),
        ({"price": Decimal("0.01")}, "price was 0.01, expected at least one tick of 1e-1"),
        ({"price": Decimal("NaN")}, "price was NaN"),
        ({"price_precision": 10}, "price precision was 10, expected 0 to 9"),
        ({"volatility": float("nan")}, "volatility was nan, expected 0 to 10 a year"),
        ({"jump_probability": 1.5}, "jump probability was 1.5, expected 0 to 1"),
        ({"gap_probability": -0.1}, "gap probability was -0.1, expected 0 to 1"),
        ({"gap_bars_max": 0}, "longest gap was 0, expected 1 to 100000 bars"),
        ({"volume": 0.0}, "volume was 0.0, expected more than zero"),
    ],
)
def test_parameters_of_no_market_are_refused(changes: dict[str, Any], message: str) -> None:
    """A parameter that describes no market is refused by name, with what was expected."""
    with pytest.raises(InputError, match=message):
        replace(GenerationOptions(seed=1, bars=10), **changes)
