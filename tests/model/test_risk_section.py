"""The `risk` section: what reader and schema accept, which limits a backtest may give, and what is refused."""

from __future__ import annotations

import re
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
from tc.model.starter import starter
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

OF_EQUITY = ("total_drawdown", "drawdown_warning", "daily_loss", "weekly_loss", "group_risk")


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
def test_a_backtest_takes_every_form_of_a_limit(name: str) -> None:
    """The gate puts every limit in force, so a backtest may give any of them, or say `unlimited`."""
    for written in WRITTEN[name]:
        assert refused_fields(_spec(FINITE | {name: written})) == [], written


def test_the_valid_spec_may_say_unlimited_for_all() -> None:
    """A backtest without any limit is a spec like another, and then nothing has a default either."""
    risk = _spec(dict.fromkeys(MANDATORY, "unlimited")).risk

    assert risk.is_unlimited
    assert {risk.effective(name) for name in DEFAULTS if name != "price_collar_period_s"} == {"unlimited"}


def test_one_limit_brings_the_defaults_of_the_others() -> None:
    """A spec that limits anything mandatory has the documented defaults where it is silent."""
    risk = _spec(dict.fromkeys(MANDATORY, "unlimited") | {"message_rate": "20/s"}).risk

    assert {name: risk.effective(name) for name in DEFAULTS} == DEFAULTS


# Where equity cannot be counted in one currency: edits of the valid spec, and what the refusal says.
UNCOUNTED = {
    "no balance": (
        {"account_type: MARGIN": "account_type: CASH", "  leverage: 10\n": "", "kind: perpetual": "kind: currency_pair",
         "[1000000 USDT]": "[25 BTC]"},
        "needs equity in USDT, but the account starts with BTC; add a balance in USDT or write 'unlimited'",
    ),
    "fee in another currency": (
        {"[1000000 USDT]": "[1000000 USDT, 1000 USD]",
         "  leverage: 10": "  leverage: 10\n  fees: {model: per_contract, commission: 1 USD}"},
        "needs fees in USDT, but the commission is 1 USD, and there is no conversion; give the commission in USDT or "
        "write 'unlimited'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", sorted(UNCOUNTED))
def test_a_limit_on_equity_needs_equity_in_one_currency(case: str) -> None:
    """Five limits are fractions of equity: where it cannot be counted each is refused by name, and no other limit."""
    edits, expected = UNCOUNTED[case]
    text = HEAD
    for there, instead in edits.items():
        assert there in text
        text = text.replace(there, instead)
    limited = (text + yaml.safe_dump({"risk": FINITE})).encode()
    unlimited = (text + yaml.safe_dump({"risk": FINITE | dict.fromkeys(OF_EQUITY, "unlimited")})).encode()
    with pytest.raises(SpecInvalid) as caught:
        read_run_spec(limited, "spec.yaml")

    assert sorted(problem.partition(": ")[2] for problem in caught.value.problems) == sorted(
        f"risk.{name}: {expected}" for name in OF_EQUITY
    )
    assert read_run_spec(unlimited, "spec.yaml").risk.effective("order_quantity") == 10


@pytest.mark.parametrize(
    ("first", "second", "oms_type", "is_taken"),
    [
        ("active", "active", "NETTING", True),
        ("active", "observe", "NETTING", True),
        ("observe", "active", "NETTING", True),
        ("active", "off", "NETTING", False),
        ("observe", "observe", "NETTING", False),
        ("active", "active", "HEDGING", False),
    ],
)
def test_with_netting_an_instrument_has_one_trading_strategy(
    first: str, second: str, oms_type: str, is_taken: bool
) -> None:
    """A second strategy on a traded instrument is refused, also one that only observes; HEDGING has no such rule."""
    twin = f"  - {{id: twin, source: own.py:Own, mode: {second}, config: {{instrument_id: {BTC}}}}}\n"
    text = HEAD.replace("    config:", f"    mode: {first}\n    config:").replace("NETTING", oms_type) + twin
    text += yaml.safe_dump({"risk": FINITE})
    if not is_taken:
        assert len(read_run_spec(text.encode(), "spec.yaml").strategies) == 2
        return
    second_one = r"strategies\[\d\]\.mode: found '(active|observe)' for '[a-z-]+' on BTCUSDT-PERP\.BINANCE, which '"
    with pytest.raises(SpecInvalid, match=second_one):
        read_run_spec(text.encode(), "spec.yaml")


def test_a_strategy_may_observe_and_not_all_may_be_off() -> None:
    """`observe` alone is a run that decides and sends nothing; with every mode off there would be none."""
    text = HEAD + yaml.safe_dump({"risk": FINITE})
    observed = text.replace("    config:", "    mode: observe\n    config:")

    assert read_run_spec(observed.encode(), "spec.yaml").strategies[0].mode == "observe"
    with pytest.raises(SpecInvalid, match="found every mode off, so nothing would run; set one to active or observe"):
        read_run_spec(observed.replace("observe", "off").encode(), "spec.yaml")


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


def test_the_starter_shows_the_default_of_every_limit() -> None:
    """A comment in the risk section of `tc spec new` is the default, what differs names it, and none is left out."""
    risk = starter("first", "schema.json").partition("\nrisk:")[2]
    shown = dict(re.findall(r"^  # (\w+): (\S+)", risk, re.MULTILINE))

    said = dict(re.findall(r"^  (\w+): .*# default (\S+):", risk, re.MULTILINE))

    assert set(said) == {"consecutive_losses"}
    assert shown | said == {name: str(default) for name, default in DEFAULTS.items()}
    assert set(re.findall(r"^  (\w+):", risk, re.MULTILINE)) == {*MANDATORY, *said}
