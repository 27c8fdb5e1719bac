"""From the `risk` section of a spec to the numbers that checks use."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.risk_lab import BTC, ETH, SECOND
from tc.model.limit_value import split_rate
from tc.model.run_spec import RunSpec
from tc.model.yaml_source import parse_yaml
from tc.risk.limit_set import UNLIMITED, LimitSet, Rate, limit_set
from tc.risk.market import ReferenceWindow

VALID = (Path(__file__).parents[1] / "model" / "valid-spec.yaml").read_text()
HEAD = VALID[: VALID.index("risk:")]
TWO = HEAD.replace(
    "data:\n",
    """\
  - {id: ETHUSDT-PERP.BINANCE, kind: perpetual, base_currency: ETH, quote_currency: USDT,
     price_increment: 0.01, size_increment: 0.001, maker_fee: 0, taker_fee: 0}
data:
  - dataset: eth
    bar_type: ETHUSDT-PERP.BINANCE-1-MINUTE-LAST-EXTERNAL
    volume: base
  - dataset: btc
    bar_type: BTCUSDT-PERP.BINANCE-1-MINUTE-LAST-EXTERNAL
    volume: base
""",
).replace("  dataset: btc\n  bar_type: BTCUSDT-PERP.BINANCE-1-MINUTE-LAST-EXTERNAL\n  volume: quote\n", "")
FINITE = """
  order_value: 100_000 USDT
  order_quantity: 10
  position_value: 500000 USDT
  message_rate: 20/s
  total_drawdown: 0.2
""".replace("100_000", "100000")


def _limits(risk: str, head: str = HEAD) -> LimitSet:
    return limit_set(RunSpec.model_validate(parse_yaml(f"{head}risk:{risk}".encode(), "spec.yaml").value))


def test_what_a_spec_does_not_say_takes_its_default() -> None:
    """A spec with the five mandatory limits has every other limit at its documented default."""
    assert _limits(FINITE) == LimitSet(
        order_value={BTC: Decimal(100_000)},
        order_quantity={BTC: Decimal(10)},
        position_value={BTC: Decimal(500_000), "account": Decimal(500_000)},
        account_value=Decimal(500_000),
        message_rate=Rate(Decimal(20), SECOND),
        total_drawdown=Decimal("0.2"),
        drawdown_warning=Decimal("0.05"),
        daily_loss=Decimal("0.02"),
        weekly_loss=Decimal("0.1"),
        price_collar=Decimal("0.05"),
        price_collar_period=Decimal("0.1"),
        price_collar_period_ns=3600 * SECOND,
        repeated_execution=Rate(Decimal(20), 60 * SECOND),
        duplicate_order=Rate(Decimal(1), SECOND),
        refuses_self_match=True,
        consecutive_losses=Decimal(3),
        group_risk=Decimal("0.04"),
        groups={},
        open_positions=UNLIMITED,
        one_position_per_instrument=False,
    )


def test_a_spec_that_is_unlimited_five_times_has_no_limits() -> None:
    """The mandatory five at `unlimited` leave no default either: such a backtest runs as it ran without limits."""
    found = _limits(VALID[VALID.index("risk:") + len("risk:") :])

    assert {found.account_value, found.total_drawdown, found.daily_loss, found.weekly_loss} == {UNLIMITED}
    assert {found.price_collar, found.price_collar_period, found.consecutive_losses, found.group_risk} == {UNLIMITED}
    assert found.repeated_execution == found.duplicate_order == found.message_rate == Rate(UNLIMITED, 0)
    assert not found.refuses_self_match


def test_an_unlimited_backtest_keeps_the_limits_that_it_gives() -> None:
    """One limit that is written holds alone among `unlimited` ones."""
    found = _limits(VALID[VALID.index("risk:") + len("risk:") :] + "\n  daily_loss: 0.02\n  open_positions: 7\n")

    assert (found.daily_loss, found.open_positions, found.weekly_loss) == (Decimal("0.02"), 7, UNLIMITED)


def test_every_limit_can_be_given() -> None:
    """Amounts and quantities an instrument, rates over longer windows, groups and counts are taken as written."""
    found = _limits(
        """
  order_value: {BTCUSDT-PERP.BINANCE: 2e5 USDT, ETHUSDT-PERP.BINANCE: unlimited}
  order_quantity: {BTCUSDT-PERP.BINANCE: 1.50, ETHUSDT-PERP.BINANCE: "20"}
  position_value: {account: 9 USDT, BTCUSDT-PERP.BINANCE: 8 USDT, ETHUSDT-PERP.BINANCE: 7 USDT}
  message_rate: 100/10s
  total_drawdown: 1
  drawdown_warning: unlimited
  daily_loss: 0.01
  price_collar_period_s: 60
  repeated_execution: 5/1min
  duplicate_order: 2/h
  self_match: unlimited
  consecutive_losses: unlimited
  groups: {majors: [BTCUSDT-PERP.BINANCE, ETHUSDT-PERP.BINANCE]}
  open_positions: 7
  one_position_per_instrument: true
""",
        TWO,
    )

    assert found.order_value == {BTC: Decimal(200_000), ETH: UNLIMITED}
    assert found.order_quantity == {BTC: Decimal("1.5"), ETH: Decimal(20)}
    assert (found.account_value, found.position_value[ETH]) == (Decimal(9), Decimal(7))
    assert found.message_rate == Rate(Decimal(100), 10 * SECOND)
    assert found.repeated_execution == Rate(Decimal(5), 60 * SECOND)
    assert found.duplicate_order == Rate(Decimal(2), 3600 * SECOND)
    assert (found.refuses_self_match, found.consecutive_losses, found.open_positions) == (False, UNLIMITED, 7)
    assert found.group_of(BTC) == found.group_of(ETH) == {BTC, ETH}
    assert found.one_position_per_instrument
    assert found.memory_ns == 3600 * SECOND


def test_a_limit_is_the_same_however_it_is_written() -> None:
    """Zeros, exponents and a written-out one in a rate change neither limit nor digest."""
    spec, other = (
        RunSpec.model_validate(parse_yaml(f"{HEAD}risk:{text}".encode(), "spec.yaml").value)
        for text in (
            FINITE,
            FINITE.replace("100000 USDT", "1e5 USDT").replace("20/s", "20/1s").replace("0.2", '"0.200"'),
        )
    )

    assert spec.digest() == other.digest()


def test_every_given_limit_changes_the_digest() -> None:
    """A spec with a default written out is another spec: unlike its absence, it holds among unlimited ones too."""
    digests = {
        RunSpec.model_validate(parse_yaml(f"{HEAD}risk:{FINITE}{more}".encode(), "spec.yaml").value).digest()
        for more in ("", "  daily_loss: 0.02\n", "  daily_loss: 0.03\n", "  open_positions: 7\n")
    }

    assert len(digests) == 4


@pytest.mark.parametrize(
    ("text", "expected"), [("1/s", (1, 1)), ("300/min", (300, 60)), ("100/10s", (100, 10)), ("7/2h", (7, 7200))]
)
def test_a_rate_is_a_count_in_a_time(text: str, expected: tuple[int, int]) -> None:
    """Seconds, minutes and hours, with or without a number before the unit."""
    assert split_rate(text) == (expected[0], expected[1] * SECOND)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 9)), min_size=1), st.integers(0, 12))
def test_a_reference_window_holds_the_extremes_of_its_period(steps: list[tuple[int, int]], period: int) -> None:
    """After any references the low and high are those of the last period, both ends included."""
    window, seen, ts = ReferenceWindow(period), [], 0
    assert (window.low, window.high) == (None, None)
    for step, price in steps:
        ts += step
        window.add(ts, Decimal(price))
        seen.append((ts, Decimal(price)))
        within = [each for at, each in seen if at >= ts - period]
        assert (window.low, window.high) == (min(within), max(within))
