"""What a wrong spec is told, word for word: the golden file is what an operator reads."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tc.errors import SpecInvalid
from tc.model.reading import read_run_spec

HERE = Path(__file__).parent
VALID = (HERE / "valid-spec.yaml").read_text()
GOLDEN = HERE / "golden" / "wrong-specs.txt"

_OTHER_INSTRUMENT = """\
  - id: ETHUSDT-PERP.BINANCE
    kind: perpetual
    base_currency: ETH
    quote_currency: USDT
    price_increment: 0.01
    size_increment: 0.001
    maker_fee: 0
    taker_fee: 0
"""
_LISTED_DATA = """\
data:
  - dataset: btc-bid
    bar_type: BTCUSDT-PERP.BINANCE-1-MINUTE-BID-EXTERNAL
    volume: base
"""
_INVERSE_INSTRUMENT = """\
  - id: BTCUSD-PERP.BINANCE
    kind: perpetual
    inverse: true
    base_currency: BTC
    quote_currency: USD
    price_increment: 0.1
    size_increment: 1
    maker_fee: 0
    taker_fee: 0
"""
_TWO_FEEDS = """\
data:
  - {dataset: a, bar_type: BTCUSDT-PERP.BINANCE-1-MINUTE-LAST-EXTERNAL, volume: base}
  - {dataset: b, bar_type: BTCUSD-PERP.BINANCE-1-MINUTE-LAST-EXTERNAL, volume: base}
"""
_LAST_AND_MID = """\
data:
  - {dataset: a, bar_type: BTCUSDT-PERP.BINANCE-1-MINUTE-LAST-EXTERNAL, volume: base}
  - {dataset: b, bar_type: BTCUSDT-PERP.BINANCE-5-MINUTE-MID-EXTERNAL, volume: base}
"""
_BAR_TYPE = "BTCUSDT-PERP.BINANCE-1-MINUTE-LAST-EXTERNAL"
_DATA = VALID[VALID.index("data:\n") : VALID.index("strategies:")]

# The valid spec as a paper run: with a number for every limit it is valid too.
_PAPER = [
    ("mode: backtest", "mode: paper"),
    ("order_value: unlimited", "order_value: 1000 USDT"),
    ("order_quantity: unlimited", "order_quantity: 1"),
    ("position_value: unlimited", "position_value: 1000 USDT"),
    ("message_rate: unlimited", "message_rate: 5/s"),
    ("total_drawdown: unlimited", "total_drawdown: 0.2"),
]
_AWAY = "  leverage: 10\n  endpoint: http://127.0.0.1:5000"

# name: edits of the valid spec, each (text that stands there, text instead)
WRONG: dict[str, list[tuple[str, str]]] = {
    "unknown key, close to a known one": [("  leverage: 10", "  levrage: 10")],
    "unknown key that belongs elsewhere": [("seed: 7", "seed: 7\nleverage: 10")],
    "unknown key far from any": [("seed: 7", "seed: 7\nzzz: 1")],
    "schema of another version": [("tc.runspec/v1", "tc.runspec/v2")],
    "seed missing": [("seed: 7\n", "")],
    "seed negative": [("seed: 7", "seed: -1")],
    "seed too large": [("seed: 7", "seed: 4294967296")],
    "seed with decimals": [("seed: 7", "seed: 7.0")],
    "seed left empty": [("seed: 7", "seed:")],
    "name with a path": [("name: valid", "name: ../escape")],
    "name that is a number": [("name: valid", "name: 2022")],
    "name too long": [("name: valid", f"name: {'x' * 49}")],
    "mode with a typo": [("mode: backtest", "mode: backtets")],
    "paper without limits": [("mode: backtest", "mode: paper")],
    "paper with what the venue has no word for": [
        *_PAPER,
        ("oms_type: NETTING", "oms_type: HEDGING"),
        ("  leverage: 10", "  leverage: 2.5\n  fill_model: {prob_slippage: 0.1}\n  latency_ms: {base: 0.5, cancel: 1}"),
        ("  volume: quote", "  volume: quote\n  start: 2022-01-01\n  speed: 5000"),
    ],
    "the loopback market in a paper run": [
        *_PAPER,
        ("  leverage: 10", "  leverage: 10\n  fill_model: {market: loopback}"),
    ],
    "the loopback market with another model": [
        ("  leverage: 10", "  leverage: 10\n  fill_model: {market: loopback, model: two_tier}")
    ],
    "duration in words": [*_PAPER, ("seed: 7", "seed: 7\nduration: 1 hour")],
    "paper on another instrument": [*_PAPER, ("base_currency: BTC", "base_currency: ETH")],
    "paper on a foreign venue without account and keys": [*_PAPER, ("  leverage: 10", _AWAY)],
    "paper on a foreign venue with what is that venue's": [
        *_PAPER,
        ("seed: 7", "seed: 7\naccount: main"),
        ("  leverage: 10", f"{_AWAY}\n  credentials: {{keyring: main}}\n  latency_ms: {{base: 5}}"),
        ("  volume: quote", "  volume: quote\n  speed: 10"),
    ],
    "keys in two places": [
        *_PAPER,
        ("  leverage: 10", "  leverage: 10\n  credentials: {file: k, keyring: main}"),
    ],
    "half of the keys": [*_PAPER, ("  leverage: 10", "  leverage: 10\n  credentials: {api_key_env: KEY}")],
    "alert sinks without a plain name": [*_PAPER, ("risk:", "safety: {alerts: ['http://h/']}\nrisk:")],
    "alert sinks of a backtest": [("risk:", "safety: {alerts: [pager]}\nrisk:")],
    "section missing": [(_DATA, "")],
    "section of the wrong kind": [(_DATA, "data: btc\n")],
    "list left empty": [("starting_balances: [1000000 USDT]", "starting_balances: []")],
    "balance without a currency": [("[1000000 USDT]", "[1000000]")],
    "balance that is not an amount": [("[1000000 USDT]", "[1_000_000 USDT]")],
    "balance given twice": [("[1000000 USDT]", "[1000000 USDT, 5 USDT]")],
    "balance in another currency": [("[1000000 USDT]", "[1000000 USTD]")],
    "base currency that is not held": [("  leverage: 10", "  leverage: 10\n  base_currency: USD")],
    "cash account with leverage and a perpetual": [("account_type: MARGIN", "account_type: CASH")],
    "cash account with a perpetual": [
        ("account_type: MARGIN", "account_type: CASH"),
        ("  leverage: 10\n", ""),
    ],
    "cash account in one currency": [
        ("account_type: MARGIN", "account_type: CASH\n  base_currency: USDT"),
        ("  leverage: 10\n", ""),
    ],
    "cash account that can neither buy nor sell": [
        ("account_type: MARGIN", "account_type: CASH"),
        ("  leverage: 10\n", ""),
        ("kind: perpetual", "kind: currency_pair"),
        ("[1000000 USDT]", "[1000000 EUR]"),
    ],
    "commission in a currency that is not held": [
        ("  leverage: 10", "  leverage: 10\n  fees: {model: fixed, commission: 1 USD}")
    ],
    "model without its commission": [("  leverage: 10", "  leverage: 10\n  fees: {model: per_contract}")],
    "leverage below one": [("leverage: 10", "leverage: 0.5")],
    "leverage of true": [("leverage: 10", "leverage: true")],
    "tick that is a mapping": [("price_increment: 0.1", "price_increment: {tick: 0.1}")],
    "tick of zero": [("price_increment: 0.1", "price_increment: 0.0")],
    "tick with too many decimals": [("price_increment: 0.1", "price_increment: 0.00000000000000001")],
    "fee that is not a number": [("maker_fee: 0.0002", "maker_fee: .nan")],
    "margin above one": [("margin_init: 0.05", "margin_init: 5")],
    "quantity off the lot step": [("min_quantity: 0.001", "min_quantity: 0.0005")],
    "quantities swapped": [("min_quantity: 0.001", "min_quantity: 2000")],
    "notional in a currency that is not enforced": [("min_notional: 5 USDT", "min_notional: 5 BTC")],
    "settlement that the engine does not do": [
        ("    quote_currency: USDT", "    quote_currency: USDT\n    settlement_currency: USDC")
    ],
    "inverse currency pair": [("kind: perpetual", "kind: currency_pair\n    inverse: true")],
    "inverse perpetual without its coin": [("kind: perpetual", "kind: perpetual\n    inverse: true")],
    "boolean written as yes": [("kind: perpetual", "kind: perpetual\n    inverse: yes")],
    "instrument on another venue": [("- id: BTCUSDT-PERP.BINANCE", "- id: BTCUSDT-PERP.BYBIT")],
    "instrument without bars": [("data:\n", _OTHER_INSTRUMENT + "data:\n")],
    "bar type of a strange step": [
        ("btc\n  bar_type: BTCUSDT-PERP.BINANCE-1-", "btc\n  bar_type: BTCUSDT-PERP.BINANCE-7-")
    ],
    "bar type built inside": [("LAST-EXTERNAL\n  volume", "LAST-INTERNAL\n  volume")],
    "bids without asks": [
        (_DATA, _LISTED_DATA),
        ("      bar_type: BTCUSDT-PERP.BINANCE-1-MINUTE-LAST-EXTERNAL\n", ""),
    ],
    "two markets for one instrument": [(_DATA, _LAST_AND_MID)],
    "fingerprint cut short": [("  volume: quote", "  volume: quote\n  fingerprint: sha256:abc")],
    "constant volume without its value": [("volume: quote", "volume: constant")],
    "period that ends before it starts": [
        ("  volume: quote", "  volume: quote\n  start: 2022-02-01\n  end: 2022-01-01")
    ],
    "time of day that YAML 1.1 would count in sixties": [("  volume: quote", "  volume: quote\n  start: 1:30")],
    "speed in a backtest": [("  volume: quote", "  volume: quote\n  speed: 60")],
    "strategy source without a class": [("ema_cross:EMACross", "ema_cross")],
    "strategy given twice": [("risk:", "  - id: ema-cross\n    source: own.py:Own\nrisk:")],
    "strategies all off": [("    config:", "    mode: off\n    config:")],
    "strategies that trade one instrument with NETTING": [
        ("risk:", f"  - id: twin\n    source: own.py:Own\n    config: {{bar_type: {_BAR_TYPE}}}\nrisk:")
    ],
    "config with a number that is not one": [('trade_size: "0.100"', "trade_size: .inf")],
    "config with digits that a float loses": [('trade_size: "0.100"', "trade_size: 0.12345678901234567890")],
    "config with another instrument": [("      instrument_id: BTC", "      instrument_id: DOGE")],
    "config with a bar type that no feed delivers": [
        ("      bar_type: BTCUSDT-PERP.BINANCE-1-", "      bar_type: BTCUSDT-PERP.BINANCE-5-")
    ],
    "limit on equity without a balance in its currency": [
        ("account_type: MARGIN", "account_type: CASH"),
        ("  leverage: 10\n", ""),
        ("kind: perpetual", "kind: currency_pair"),
        ("[1000000 USDT]", "[25 BTC]"),
        ("total_drawdown: unlimited", "total_drawdown: 0.2\n  daily_loss: unlimited"),
    ],
    "limit on equity with fees in another currency": [
        ("[1000000 USDT]", "[1000000 USDT, 1000 USD]"),
        ("  leverage: 10", "  leverage: 10\n  fees: {model: fixed, commission: 1 USD}"),
        ("total_drawdown: unlimited", "total_drawdown: unlimited\n  group_risk: 0.04"),
    ],
    "limit without a currency": [("order_value: unlimited", "order_value: 100000")],
    "limit in another currency": [("order_value: unlimited", "order_value: 2 BTC")],
    "limit of zero": [("order_quantity: unlimited", "order_quantity: 0")],
    "limit that is not a number": [("order_quantity: unlimited", "order_quantity: .nan")],
    "limit that is a list": [("order_quantity: unlimited", "order_quantity: [1]")],
    "limit left empty": [("order_quantity: unlimited", "order_quantity:")],
    "limit misspelled": [("order_quantity: unlimited", "order_quantity: unlimted")],
    "limit for another instrument": [("order_value: unlimited", "order_value: {ETHUSDT-PERP.BINANCE: 5 USDT}")],
    "limit of an instrument without a currency": [("order_value: unlimited", "order_value: {BTCUSDT-PERP.BINANCE: 5}")],
    "position limits without the account": [
        ("position_value: unlimited", "position_value: {BTCUSDT-PERP.BINANCE: 500000 USDT}")
    ],
    "rate without a time": [("message_rate: unlimited", "message_rate: 20")],
    "rate of nothing": [("message_rate: unlimited", "message_rate: 0/s")],
    "drawdown in percent": [("total_drawdown: unlimited", "total_drawdown: 20")],
    "drawdown that is negative": [("total_drawdown: unlimited", "total_drawdown: -0.2")],
    "count with decimals": [("total_drawdown: unlimited", "total_drawdown: 0.2\n  consecutive_losses: 2.5")],
    "self-match allowed": [("total_drawdown: unlimited", "total_drawdown: 0.2\n  self_match: allow")],
    "period of a collar that does not hold": [
        ("total_drawdown: unlimited", "total_drawdown: unlimited\n  price_collar_period_s: 60")
    ],
    "groups without their limit": [
        ("total_drawdown: unlimited", "total_drawdown: unlimited\n  groups: {majors: [BTCUSDT-PERP.BINANCE]}")
    ],
    "groups that overlap and name a stranger": [
        (
            "total_drawdown: unlimited",
            "total_drawdown: 0.2\n  groups: {a: [BTCUSDT-PERP.BINANCE, X.BINANCE], b: [BTCUSDT-PERP.BINANCE]}",
        )
    ],
    "groups that name a stranger": [
        ("total_drawdown: unlimited", "total_drawdown: 0.2\n  groups: {majors: [X.BINANCE]}")
    ],
    "limits in two currencies": [
        (_DATA, _INVERSE_INSTRUMENT + _TWO_FEEDS),
        ("[1000000 USDT]", "[1000000 USDT, 10 BTC]"),
        ("total_drawdown: unlimited", "total_drawdown: 0.2"),
    ],
    "limits misplaced": [("seed: 7", "seed: 7\norder_value: 5 USDT")],
    "limit left out": [("  total_drawdown: unlimited\n", "")],
    "credentials that are a key": [
        ("  leverage: 10", "  leverage: 10\n  credentials: {api_key_env: vK3ySecretSecretSecret}")
    ],
    "safety in a backtest": [("risk:", "safety: {on_stop: flatten}\nrisk:")],
    "commission without its model": [("  leverage: 10", "  leverage: 10\n  fees: {commission: 1 USDT}")],
    "latency finer than the clock": [("  leverage: 10", "  leverage: 10\n  latency_ms: {base: 0.0000001}")],
    "label that is a number": [("seed: 7", "seed: 7\nlabels: {year: 2022, 'bad key': x}")],
    "key given twice": [("seed: 7", "seed: 7\nseed: 8")],
    "several problems at once": [
        ("seed: 7", "seed: x"),
        ("leverage: 10", "leverage: -1"),
        ("  volume: quote\n", ""),
    ],
}


def _message(edits: list[tuple[str, str]]) -> str:
    text = VALID
    for there, instead in edits:
        assert text.count(there) == 1, f"{there!r} stands {text.count(there)} times"
        text = text.replace(there, instead)
    with pytest.raises(SpecInvalid) as caught:
        read_run_spec(text.encode(), "spec.yaml")
    return str(caught.value)


def _golden() -> dict[str, str]:
    blocks = GOLDEN.read_text().split("=== ")[1:]
    return {block.partition("\n")[0]: block.partition("\n")[2].rstrip("\n") for block in blocks}


def test_every_wrong_spec_is_told_exactly_what_the_golden_file_says() -> None:
    """Every wrong spec is refused in the words of the golden file: line, field, finding and fix."""
    messages = {name: _message(edits) for name, edits in WRONG.items()}
    if os.environ.get("TC_GOLDEN") == "write":
        GOLDEN.write_text("\n".join(f"=== {name}\n{message}\n" for name, message in messages.items()))

    assert messages == _golden()


def test_there_are_at_least_thirty_wrong_specs() -> None:
    """The golden file holds at least thirty wrong specs."""
    assert len(_golden()) >= 30


def test_the_unchanged_spec_is_valid() -> None:
    """The spec that the wrong ones are made from is itself valid, so each is refused for its edit alone."""
    assert read_run_spec(VALID.encode(), "spec.yaml").name == "valid"


def test_an_inverse_perpetual_is_valid() -> None:
    """A coin-margined contract with its balance, sizes and amounts in its own terms is accepted."""
    edits = {"[1000000 USDT]": "[10 BTC]", "kind: perpetual": "kind: perpetual\n    inverse: true"}
    edits |= {"size_increment: 0.001": "size_increment: 1", "min_quantity: 0.001": "min_quantity: 1"}
    text = VALID.replace("min_notional: 5 USDT", "min_notional: 0.0001 BTC")
    for there, instead in edits.items():
        text = text.replace(there, instead)

    assert read_run_spec(text.encode(), "spec.yaml").instruments[0].pays_in == "BTC"


def test_a_cash_account_trades_a_pair() -> None:
    """A cash account that holds the quote currency of a pair is accepted."""
    text = VALID.replace("account_type: MARGIN", "account_type: CASH").replace("  leverage: 10\n", "")

    assert read_run_spec(text.replace("perpetual", "currency_pair").encode(), "spec.yaml").venue.leverage == 1


def test_a_key_written_where_its_name_belongs_is_not_repeated() -> None:
    """A secret that was written instead of its name never appears in the message."""
    assert "vK3ySecret" not in _message(WRONG["credentials that are a key"])


def test_an_item_that_is_wrong_is_not_also_called_missing() -> None:
    """A list whose only item is wrong is told about the item and not called empty."""
    message = _message(WRONG["instrument on another venue"])
    wrong_item = _message([("kind: perpetual", "kind: spot")])

    assert "give at least one" not in message
    assert "give at least one" not in wrong_item
    assert "instruments[0].kind" in wrong_item


def test_a_flood_of_problems_is_cut() -> None:
    """A spec with hundreds of problems gets fifty sentences and the count of the rest."""
    unknown = "".join(f"unknown_{index}: 1\n" for index in range(300))
    with pytest.raises(SpecInvalid) as caught:
        read_run_spec((VALID + unknown).encode(), "spec.yaml")

    assert len(caught.value.problems) == 51
    assert caught.value.problems[-1] == "and 250 more; correct these first"


def test_the_paper_spec_that_the_wrong_ones_are_made_from_is_valid() -> None:
    """The same spec with a number for every limit is a valid paper run."""
    text = VALID
    for there, instead in _PAPER:
        text = text.replace(there, instead)
    assert read_run_spec(text.encode(), "spec.yaml").mode == "paper"
