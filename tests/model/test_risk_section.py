"""The `risk` section: what reader and schema accept, and where limits are kept out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tc.errors import SpecInvalid
from tc.model.limit import DEFAULTS, MANDATORY, Limits
from tc.model.reading import read_run_spec
from tc.model.refusal import refused_fields
from tc.model.run_spec import RunSpec
from tc.model.schema import run_spec_schema
from tc.model.yaml_source import parse_yaml

VALID = (Path(__file__).parent / "valid-spec.yaml").read_text()
HEAD = VALID[: VALID.index("risk:")]
BTC = "BTCUSDT-PERP.BINANCE"
WRITTEN: dict[str, list[Any]] = {
    "order_value": ["unlimited", "1000 USDT", {BTC: "1000 USDT"}, {BTC: "unlimited"}],
    "order_quantity": ["unlimited", 1, 1.5, "1e2", {BTC: 2}, {BTC: "unlimited"}],
    "position_value": ["unlimited", "1000 USDT", {BTC: "1000 USDT", "account": "unlimited"}],
    "message_rate": ["unlimited", "1/s", "300/min", "100/10s", "5/h"],
    "total_drawdown": ["unlimited", 0.2, "0.2", 1],
    "drawdown_warning": ["unlimited", 0.05],
    "daily_loss": ["unlimited", 0.02],
    "weekly_loss": ["unlimited", "1e-1"],
    "price_collar": ["unlimited", 0.05],
    "price_collar_period": ["unlimited", 0.1],
    "price_collar_period_s": [60, "0.5"],
    "repeated_execution": ["unlimited", "20/min"],
    "duplicate_order": ["unlimited", "1/s"],
    "self_match": ["unlimited", "refuse"],
    "consecutive_losses": ["unlimited", 3],
    "group_risk": ["unlimited", 0.04],
    "groups": [{}, {"majors": [BTC]}],
    "open_positions": ["unlimited", 7],
    "one_position_per_instrument": [True, False],
}
FINITE: dict[str, Any] = {
    "order_value": "1000 USDT",
    "order_quantity": 10,
    "position_value": "1000 USDT",
    "message_rate": "20/s",
    "total_drawdown": "0.2",
}


def _text(risk: dict[str, Any]) -> bytes:
    return (HEAD + yaml.safe_dump({"risk": risk})).encode()


def _spec(risk: dict[str, Any]) -> RunSpec:
    return RunSpec.model_validate(parse_yaml(_text(risk), "spec.yaml").value)


def test_every_limit_is_written_here() -> None:
    """The table has every field, and every field is mandatory, has a default, or is off."""
    assert set(WRITTEN) == set(Limits.model_fields)
    assert {*MANDATORY, *DEFAULTS, "groups", "one_position_per_instrument"} == set(Limits.model_fields)


@pytest.mark.parametrize("name", sorted(WRITTEN))
def test_reader_and_schema_take_every_form_of_a_limit(name: str) -> None:
    """Amounts, quantities, rates, fractions and counts, alone or an instrument, are valid for reader and schema."""
    validator = jsonschema.Draft202012Validator(run_spec_schema())
    for written in WRITTEN[name]:
        risk = FINITE | {name: written}
        assert _spec(risk).risk.effective(name) is not None
        validator.validate(yaml.safe_load(_text(risk)))


@pytest.mark.parametrize("name", sorted(WRITTEN))
def test_without_a_gate_no_limit_is_accepted(name: str) -> None:
    """A limit that nothing would enforce is refused by name; what says nothing or `unlimited` is accepted."""
    unlimited = dict.fromkeys(MANDATORY, "unlimited") | {"price_collar_period": "0.1", "group_risk": "0.04"}
    for written in WRITTEN[name]:
        says_nothing = written in ("unlimited", False, {}, {BTC: "unlimited"})
        problems = refused_fields(_spec(unlimited | {name: written}))
        named = [problem for problem in problems if problem.path[:2] == ("risk", name)]
        assert bool(named) is not says_nothing, written


def test_a_paper_run_has_a_number_for_every_limit() -> None:
    """`unlimited` is refused in paper, alone or in a mapping, for mandatory limits and for those with a default."""
    risk = FINITE | {"order_value": {BTC: "unlimited"}, "daily_loss": "unlimited", "open_positions": "unlimited"}
    text = _text(risk).replace(b"mode: backtest", b"mode: paper")
    with pytest.raises(SpecInvalid) as caught:
        read_run_spec(text, "spec.yaml")
    named = [problem for problem in caught.value.problems if "found 'unlimited'" in problem]

    assert len(named) == 2
    assert any("risk.daily_loss" in problem for problem in named)
    assert any(f"risk.order_value.{BTC}" in problem for problem in named)


def test_the_defaults_are_the_same_for_ever() -> None:
    """A changed default would change what a sealed run's spec means."""
    assert {name: str(default) for name, default in DEFAULTS.items()} == {
        "drawdown_warning": "0.05",
        "daily_loss": "0.02",
        "weekly_loss": "0.10",
        "price_collar": "0.05",
        "price_collar_period": "0.10",
        "price_collar_period_s": "3600",
        "repeated_execution": "20/min",
        "duplicate_order": "1/s",
        "self_match": "refuse",
        "consecutive_losses": "3",
        "group_risk": "0.04",
        "open_positions": "unlimited",
    }
