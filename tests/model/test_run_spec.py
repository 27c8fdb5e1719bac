"""The RunSpec itself: its digest, its exact numbers, and its agreement with the engine's own limits."""

from __future__ import annotations

import copy
import random
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tc.errors import SpecInvalid
from tc.model.difference import ABSENT, Difference, diff
from tc.model.number import AMOUNT_MAX, DECIMALS_MAX
from tc.model.reading import read_run_spec
from tc.model.run_spec import RunSpec

VALID = (Path(__file__).parent / "valid-spec.yaml").read_text()
DEFAULTS: dict[tuple[str | int, ...], Any] = {
    ("description",): "",
    ("labels",): {},
    ("operator",): None,
    ("safety",): None,
    ("venue", "fees"): {"model": "maker_taker"},
    ("venue", "latency_ms"): {"base": 0, "insert": "0.000"},
    ("venue", "fill_model"): {"model": "default", "prob_fill_on_limit": "1.00", "prob_slippage": 0, "market": "bars"},
    ("venue", "base_currency"): None,
    ("instruments", 0, "multiplier"): "1.0",
    ("instruments", 0, "inverse"): False,
    ("instruments", 0, "settlement_currency"): "USDT",
    ("instruments", 0, "lot_size"): None,
    ("data", "start"): None,
    ("strategies", 0, "mode"): "active",
    ("observability",): {"journal": "full", "report": "html"},
}
CHANGES: dict[tuple[str | int, ...], Any] = {
    ("name",): "other",
    ("description",): "words",
    ("labels",): {"desk": "a"},
    ("seed",): 8,
    ("operator",): "somebody",
    ("venue", "oms_type"): "HEDGING",
    ("venue", "starting_balances"): ["1000000.01 USDT"],
    ("venue", "leverage"): "10.5",
    ("venue", "base_currency"): "USDT",
    ("venue", "fees"): {"model": "fixed", "commission": "1 USDT"},
    ("venue", "latency_ms"): {"base": "0.000001"},
    ("venue", "fill_model"): {"prob_slippage": "0.5"},
    ("instruments", 0, "price_increment"): "0.10",
    ("instruments", 0, "size_increment"): "0.0010",
    ("instruments", 0, "multiplier"): 2,
    ("instruments", 0, "max_quantity"): "1000.001",
    ("instruments", 0, "margin_init"): "0.0500001",
    ("instruments", 0, "taker_fee"): "-0.0004",
    ("data", "dataset"): "other",
    ("data", "volume"): "base",
    ("data", "fingerprint"): f"sha256:{'0' * 64}",
    ("data", "start"): "2022-01-01T00:00:00.000001",
    ("strategies", 0, "id"): "other",
    ("strategies", 0, "source"): "own.py:Own",
    ("strategies", 0, "config", "trade_size"): "0.1",
    ("strategies", 0, "config", "fast_ema_period"): "10",
    ("strategies", 0, "config", "slow_ema_period"): 20.0,
    ("strategies", 0, "config", "extra"): None,
    ("observability",): {"log_level": "INFO"},
}


def _read(text: str) -> RunSpec:
    return read_run_spec(text.encode(), "spec.yaml")


def _document() -> dict[str, Any]:
    document: dict[str, Any] = yaml.load(VALID, Loader=yaml.BaseLoader)  # every scalar as the text that was written
    document["seed"] = 7
    document["strategies"][0]["config"] |= {"fast_ema_period": 10, "slow_ema_period": 20}
    return document


def _with(document: dict[str, Any], path: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    changed = copy.deepcopy(document)
    place: Any = changed
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    return changed


def _shuffled(node: Any, order: random.Random) -> Any:
    if isinstance(node, dict):
        keys = list(node)
        order.shuffle(keys)
        return {key: _shuffled(node[key], order) for key in keys}
    return [_shuffled(item, order) for item in node] if isinstance(node, list) else node


def _commented(text: str, order: random.Random) -> str:
    lines = [f"{line}   # {order.random()}" if line.strip() else line for line in text.splitlines()]
    return "\n".join(part for line in lines for part in ([line, "", "# note"] if order.random() < 0.3 else [line]))


DIGEST = _read(VALID).digest()


def test_the_digest_of_a_spec_is_the_same_for_ever() -> None:
    """A digest recorded once stays: a changed default, key or canonical form would break sealed runs."""
    assert DIGEST == "sha256:142a25c55cfe2fb70d721798e4e5a4ef05f0efdb17010370342fa024d4fa6ad4"


@settings(max_examples=60, deadline=None)
@given(
    st.sets(st.sampled_from(sorted(DEFAULTS, key=repr))),
    st.randoms(use_true_random=False),
    st.booleans(),
    st.booleans(),
)
def test_the_digest_ignores_how_a_spec_is_written(
    written_out: set[tuple[str | int, ...]], order: random.Random, flow: bool, windows: bool
) -> None:
    """Comments, key order, spacing, line ends, style and written-out defaults do not change the digest."""
    document = _document()
    for path in written_out:
        document = _with(document, path, DEFAULTS[path])
    text = yaml.safe_dump(
        _shuffled(document, order),
        sort_keys=False,
        default_flow_style=flow,
        indent=order.randint(2, 6),
        width=10_000,
    )
    text = _commented(text, order)

    assert _read(text.replace("\n", "\r\n") if windows else text).digest() == DIGEST


@settings(max_examples=60, deadline=None)
@given(st.sets(st.sampled_from(sorted(CHANGES, key=repr)), min_size=1))
def test_any_changed_value_changes_the_digest_and_is_named(changed: set[tuple[str | int, ...]]) -> None:
    """Any set of changed values gives another digest, and the difference names exactly those fields."""
    document = _document()
    for path in changed:
        document = _with(document, path, CHANGES[path])
    before, after = _read(VALID), _read(yaml.safe_dump(document))
    found = {difference.path for difference in diff(before, after)}

    assert after.digest() != DIGEST
    assert len(found) >= len(changed)
    for path in changed:
        name = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)[1:]
        assert any(each.replace("data[0]", "data").startswith(name) for each in found)


@pytest.mark.parametrize("path", sorted(CHANGES, key=repr))
def test_each_single_change_changes_the_digest(path: tuple[str | int, ...]) -> None:
    """Every field counts on its own."""
    assert _read(yaml.safe_dump(_with(_document(), path, CHANGES[path]))).digest() != DIGEST


def test_numbers_that_are_equal_in_python_are_told_apart() -> None:
    """1, 1.0 and true are three values of a strategy's config, though Python calls them equal."""
    specs = [_read(VALID.replace("fast_ema_period: 10", f"fast_ema_period: {each}")) for each in ("1", "1.0", "true")]

    assert len({spec.digest() for spec in specs}) == 3
    assert [len(diff(specs[0], other)) for other in specs] == [0, 1, 1]


def test_an_absent_value_is_not_null() -> None:
    """A config key that one side lacks is reported as absent, and null is a value."""
    spec = _read(VALID)
    other = _read(VALID.replace("slow_ema_period: 20", "slow_ema_period: 20\n      extra:"))

    assert diff(spec, other) == [Difference("strategies[0].config.extra", ABSENT, None)]


def test_decimals_are_exact_however_they_are_written() -> None:
    """A number is the same with and without quotes, trailing zeros or an exponent."""
    for written in ("0.0002", '"0.0002"', "0.00020", "2e-4", "2.0E-4"):
        spec = _read(VALID.replace("maker_fee: 0.0002", f"maker_fee: {written}"))
        assert spec.instruments[0].maker_fee == Decimal("0.0002")
        assert spec.digest() == DIGEST


def test_the_written_decimals_of_a_step_are_its_precision() -> None:
    """A tick of 0.10 is a price precision of two, a tick of 1e-3 one of three."""
    assert _read(VALID.replace("price_increment: 0.1", "price_increment: 0.10")).instruments[0].price_precision == 2
    assert _read(VALID.replace("price_increment: 0.1", "price_increment: 1e-3")).instruments[0].price_precision == 3


def test_equal_moments_are_one_value() -> None:
    """A start is the same with a zone, without one, and with a time of midnight."""
    specs = {
        _read(VALID.replace("  volume: quote", f"  volume: quote\n  start: {start}")).digest()
        for start in ("2022-01-01", "2022-01-01 00:00", "2022-01-01T00:00:00Z", "2022-01-01T02:00:00+02:00")
    }

    assert len(specs) == 1


@pytest.mark.parametrize("written", ["1e999999999", "1e999", "1e-999", f"1{'0' * 5000}", "1_000", "٣", "0x10", "' 1'"])
def test_numbers_that_only_python_would_read_are_refused(written: str) -> None:
    """Underscores, other scripts, spaces and absurd exponents are refused without being computed."""
    with pytest.raises(SpecInvalid, match=r"expected (a number|at most 16 decimals)"):
        _read(VALID.replace("max_quantity: 1000", f"max_quantity: {written}"))


def test_the_largest_numbers_do_not_overflow() -> None:
    """The largest quantity on the smallest step is checked; Decimal's own remainder gives up."""
    largest, smallest = Decimal(AMOUNT_MAX), Decimal(1).scaleb(-DECIMALS_MAX)
    with pytest.raises(ArithmeticError):
        largest % smallest
    text = VALID.replace("max_quantity: 1000", f"max_quantity: {AMOUNT_MAX}")

    assert _read(text.replace("size_increment: 0.001", f"size_increment: {smallest:f}")).instruments[0].max_quantity


def test_a_spec_is_frozen() -> None:
    """No field of a spec can be set after reading."""
    with pytest.raises(ValueError, match="frozen"):
        _read(VALID).seed = 8  # type: ignore[misc]


def test_a_composite_bar_type_of_a_feed_is_allowed_in_a_config() -> None:
    """A strategy may build bars inside the engine from a feed of the run, and from no other."""
    own = "      bar_type: BTCUSDT-PERP.BINANCE-1-MINUTE-LAST-EXTERNAL"
    assert _read(VALID.replace(own, "      bar_type: BTCUSDT-PERP.BINANCE-5-MINUTE-LAST-INTERNAL@1-MINUTE-EXTERNAL"))
    with pytest.raises(SpecInvalid, match=r"add a feed of BTCUSDT-PERP.BINANCE-2-MINUTE-LAST-EXTERNAL"):
        _read(VALID.replace(own, "      bar_type: BTCUSDT-PERP.BINANCE-4-MINUTE-LAST-INTERNAL@2-MINUTE-EXTERNAL"))


def test_references_are_checked_at_any_depth_of_a_config() -> None:
    """An instrument named in a list inside a config is checked too."""
    nested = "slow_ema_period: 20\n      legs: [{instrument_ids: [BTCUSDT-PERP.BINANCE, X.BINANCE]}]"
    with pytest.raises(SpecInvalid, match=r"config\.legs\[0\]\.instrument_ids\[1\]: found 'X.BINANCE'"):
        _read(VALID.replace("slow_ema_period: 20", nested))


def test_bids_with_asks_are_a_market() -> None:
    """Bid and ask bars of the same period are accepted together."""
    feed = "data:\n" + "".join(
        f"  - {{dataset: {side}, bar_type: BTCUSDT-PERP.BINANCE-1-MINUTE-{side}-EXTERNAL, volume: base}}\n"
        for side in ("BID", "ASK")
    )
    text = VALID.replace(VALID[VALID.index("data:\n") : VALID.index("strategies:")], feed)

    assert len(_read(text.replace("      bar_type: BTCUSDT-PERP.BINANCE-1-MINUTE-LAST-EXTERNAL\n", "")).data) == 2


def test_the_number_limits_are_those_of_the_installed_engine() -> None:
    """Decimals and the largest amount are what the engine's fixed-point numbers hold, and not one more."""
    from nautilus_trader.model.objects import FIXED_PRECISION, MONEY_MAX, PRICE_MAX, Money, Price

    assert DECIMALS_MAX == FIXED_PRECISION
    assert int(PRICE_MAX) == int(MONEY_MAX) == AMOUNT_MAX
    assert str(Price.from_str(f"{Decimal(1).scaleb(-DECIMALS_MAX):f}"))
    assert Money.from_str(f"{AMOUNT_MAX} USDT")
    with pytest.raises(ValueError, match="precision"):
        Price.from_str(f"{Decimal(1).scaleb(-DECIMALS_MAX - 1):f}")


@pytest.mark.slow
def test_bar_steps_are_those_of_the_installed_engine() -> None:
    """A feed's step is accepted exactly where the engine accepts it."""
    from nautilus_trader.model.data import BarType

    for unit in ("SECOND", "MINUTE", "HOUR", "DAY", "WEEK"):
        for step in (*range(1, 62), 90, 120):
            text = f"BTCUSDT-PERP.BINANCE-{step}-{unit}-LAST-EXTERNAL"
            assert _is_accepted(lambda text=text: BarType.from_str(text)) == _is_accepted(
                lambda text=text: _read(VALID.replace("BTCUSDT-PERP.BINANCE-1-MINUTE-LAST-EXTERNAL", text))
            ), text


def _is_accepted(attempt: Any) -> bool:
    try:
        attempt()
    except (ValueError, SpecInvalid):
        return False
    return True
