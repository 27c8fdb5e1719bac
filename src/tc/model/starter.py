"""The commented spec that `tc spec new` writes: valid as it stands, meant to be edited."""

from __future__ import annotations

from tc.model.yaml_source import plain_value

_TEMPLATE = """\
# yaml-language-server: $schema={schema_path}
#
# A run, wholly described. Check it with `tc spec validate`, run it with `tc run`.
# Every key is explained in docs/runspec.md; what stands here as a comment shows the default.
schema: tc.runspec/v1
name: {name}            # part of the run_id
mode: backtest
# description: ""
# labels: {{desk: research}}
seed: 7                 # the same spec, data, code and seed give the same result digest

venue:
  id: BINANCE           # the part after the last dot of every instrument id
  account_type: MARGIN  # CASH cannot go short
  oms_type: NETTING     # or HEDGING
  starting_balances: [1000000 USDT]
  leverage: 10
  # fees: {{model: maker_taker}}              # or fixed, per_contract with commission: 1 USDT
  # latency_ms: {{base: 0, insert: 0}}        # any latency moves a market order to the next bar's close
  # fill_model: {{model: default, prob_fill_on_limit: 1, prob_slippage: 0}}

instruments:            # the only instruments that the run may touch
  - id: BTCUSDT-PERP.BINANCE
    kind: perpetual     # or currency_pair
    base_currency: BTC
    quote_currency: USDT
    price_increment: 0.1      # its decimals are the price precision
    size_increment: 0.001     # its decimals are the size precision
    min_quantity: 0.001
    max_quantity: 1000
    min_notional: 5 USDT
    margin_init: 0.05
    margin_maint: 0.025
    maker_fee: 0.0002
    taker_fee: 0.0004

data:                   # one feed, or a list of feeds
  dataset: my-bars      # see `tc data list`; make one with `tc data import` or `tc data generate`
  bar_type: BTCUSDT-PERP.BINANCE-1-MINUTE-LAST-EXTERNAL
  volume: base          # what the dataset's volume is: base, quote, absent or constant
  # fingerprint: sha256:...                 # `tc data fingerprint`; enforced before the run starts
  # start: 2022-01-01
  # end: 2022-02-01T00:00:00

strategies:
  - id: ema-cross
    source: tc.engine.strategies.ema_cross:EMACross   # or path/file.py:Class, relative to this file
    config:             # fields of the strategy's own config
      instrument_id: BTCUSDT-PERP.BINANCE
      bar_type: BTCUSDT-PERP.BINANCE-1-MINUTE-LAST-EXTERNAL
      trade_size: "0.100"
      fast_ema_period: 10
      slow_ema_period: 20

risk:                   # the gate holds every order against these; five are mandatory, an absent limit blocks
  order_value: 50000 USDT     # largest order; a mapping gives one an instrument, `unlimited` is for backtests
  order_quantity: 1           # largest order in BTC
  position_value: 100000 USDT # of each instrument and of the account, working orders included
  message_rate: 20/s          # submits, modifies and cancels; a cancel is never refused
  total_drawdown: 0.2         # of the equity peak; then no new risk until a person releases it
  # The others have these defaults as soon as one of the five is a number; docs/controls/ has a page for each.
  # What only a person can release stays closed to the end of a backtest.
  # drawdown_warning: 0.05
  # daily_loss: 0.02                        # no new risk before 00:00 UTC
  # weekly_loss: 0.10                       # halves every size limit until Monday or until it has recovered
  # price_collar: 0.05                      # farthest price from the last reference
  # price_collar_period: 0.10               # and from the lowest and the highest of so many seconds:
  # price_collar_period_s: 3600
  # repeated_execution: 20/min              # orders on one side of an instrument, then none until released
  # duplicate_order: 1/s                    # the same order again; closing and reversing is none
  # self_match: refuse
  consecutive_losses: unlimited             # default 3: losses in a row, then nothing there until released
  # group_risk: 0.04                        # of equity, lost to the stops; without a stop the full value counts
  # open_positions: unlimited

# observability: {{journal: full, report: html, log_level: WARNING}}
"""


def starter(name: str, schema_path: str) -> str:
    """Return a commented, valid spec; `schema_path` leads from it to the JSON Schema, for editors."""
    written = name if isinstance(plain_value(name), str) else f'"{name}"'  # a name such as 2022 needs quotes
    return _TEMPLATE.format(name=written, schema_path=schema_path)
