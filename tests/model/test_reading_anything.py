"""Whatever is written into a spec, the answer is a RunSpec or sentences of ours: never a traceback."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tc.errors import SpecInvalid
from tc.model.reading import read_run_spec

VALID: dict[str, Any] = yaml.load((Path(__file__).parent / "valid-spec.yaml").read_text(), Loader=yaml.BaseLoader)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(
        ["1e999999", "9" * 5000, "nan", "-0", "2022-01-01", "A.B", "X USDT", "1 USDT", "../..", "unlimited", "20/s"]
    )
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def _paths(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [path, *(found for key, child in children for found in _paths(child, (*path, key)))]


_OPTIONAL_KEYS = """
labels operator account safety duration observability connectivity_readiness venue.fees venue.latency_ms
venue.fill_model venue.credentials venue.endpoint instruments.0.settlement_currency instruments.0.lot_size
instruments.0.inverse data.start data.end data.volume_constant data.speed strategies.0.mode
risk.daily_loss risk.price_collar_period_s risk.repeated_execution risk.self_match risk.consecutive_losses
risk.groups risk.groups.majors risk.open_positions risk.one_position_per_instrument
risk.order_value.BTCUSDT-PERP.BINANCE
"""
OPTIONAL = [tuple(int(part) if part.isdigit() else part for part in key.split(".")) for key in _OPTIONAL_KEYS.split()]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([*_paths(VALID)[1:], *OPTIONAL]), VALUES), min_size=1, max_size=3))
def test_a_mutated_spec_is_read_or_refused_in_our_words(mutations: list[tuple[tuple[Any, ...], Any]]) -> None:
    """Any value at any place gives a spec or numbered sentences, none of them the validator's own."""
    document = copy.deepcopy(VALID)
    for path, value in mutations:
        place: Any = document
        for part in path[:-1]:
            place = place[part] if isinstance(place, dict | list) and _holds(place, part) else None
        if isinstance(place, dict) or (isinstance(place, list) and _holds(place, path[-1])):
            place[path[-1]] = value
    text = yaml.safe_dump(document, allow_unicode=True)
    try:
        spec = read_run_spec(text.encode("utf-8", "surrogatepass"), "spec.yaml")
    except SpecInvalid as error:
        for problem in error.problems:
            assert "should be" not in problem
            assert "should have" not in problem
            assert "Input" not in problem
            assert len(problem) < 1_000
    else:
        assert spec.digest().startswith("sha256:")


def _holds(place: Any, part: Any) -> bool:
    return part in place if isinstance(place, dict) else isinstance(part, int) and part < len(place)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_refused_and_never_crash(data: bytes) -> None:
    """Bytes that are no spec end in SpecInvalid and in nothing else."""
    with pytest.raises(SpecInvalid) as caught:
        read_run_spec(data, "spec.yaml")

    assert caught.value.problems
