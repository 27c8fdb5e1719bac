"""What a mode does not honor is refused: no field of a RunSpec is decoration."""

from __future__ import annotations

from collections.abc import Iterator

from tc.model.limit import DEFAULTS, Limits
from tc.model.limit_value import UNLIMITED
from tc.model.problem import Path, Problem
from tc.model.run_spec import RunSpec
from tc.model.sentence import shown
from tc.model.value import bar_seconds
from tc.model.venue import Instrument

BINANCE = "BINANCE"
SPEED_MAX = 1_000

_PAPER_ONLY = {
    "account": "a backtest's account lives in memory",
    "safety": "a backtest ends with its data and leaves nothing behind",
    "duration": "a backtest ends with its data, so use data.start and data.end",
    "connectivity_readiness": "a backtest connects to nothing",
    "venue.endpoint": "a backtest connects to nothing",
    "venue.credentials": "a backtest connects to nothing",
    "venue.funding_rate": "a backtest's venue charges no funding",
}


def refused_fields(spec: RunSpec) -> list[Problem]:
    """Return every field that this version does not honor in the spec's mode."""
    in_mode = _refused_in_paper(spec) if spec.mode == "paper" else _refused_in_backtest(spec)
    problems = list(in_mode)
    if all(strategy.mode == "off" for strategy in spec.strategies):
        text = "found every mode off, so nothing would run; set one to active or observe"
        problems.append(Problem(("strategies",), text))
    return problems


def _refused_in_paper(spec: RunSpec) -> Iterator[Problem]:
    yield from _unspoken_in_paper(spec)
    yield from _endpoint_problems(spec)
    yield from _safety_problems(spec)
    for name in Limits.model_fields:
        bound = getattr(spec.risk, name)
        for path, each in _bounds(("risk", name), bound):
            if each == UNLIMITED and DEFAULTS.get(name) != UNLIMITED:
                text = "found 'unlimited', but that is for backtests: a paper run has a number for every limit"
                yield Problem(path, f"{text}; give one")


def _safety_problems(spec: RunSpec) -> Iterator[Problem]:
    safety = spec.safety
    timeout_s = None if safety is None else safety.stale_data_timeout_s
    if timeout_s is None:
        return
    for feed in spec.data:
        apart_s = bar_seconds(feed.bar_type) / (feed.speed or 1)
        if feed.speed is not None and timeout_s <= apart_s:
            text = f"found {shown(timeout_s)}, but bars at {feed.speed} times their speed are {apart_s:g} s apart"
            yield Problem(("safety", "stale_data_timeout_s"), f"{text}, so that data would always be stale; give more")


def _unspoken_in_paper(spec: RunSpec) -> Iterator[Problem]:
    """Yield what the loopback venue, which speaks Binance USDT-M, has no word for."""
    venue = spec.venue
    for path, found, expected in (
        (("venue", "id"), venue.id, "BINANCE"),
        (("venue", "account_type"), venue.account_type, "MARGIN"),
        (("venue", "oms_type"), venue.oms_type, "NETTING"),
        (("venue", "starting_balances"), ", ".join(venue.currencies), "USDT"),
        (("venue", "fees", "model"), venue.fees.model, "maker_taker"),
        (("venue", "fill_model", "model"), venue.fill_model.model, "default"),
        (("venue", "fill_model", "market"), venue.fill_model.market, "bars"),
    ):
        if found != expected:
            text = f"found '{found}', but a paper run trades Binance USDT-M futures on this machine"
            yield Problem(path, f"{text}; use {expected}")
    if venue.base_currency not in (None, "USDT"):
        yield Problem(
            ("venue", "base_currency"), f"found '{venue.base_currency}', but the account is in USDT; remove it"
        )
    if venue.fill_model.prob_slippage:
        text = f"found {shown(venue.fill_model.prob_slippage)}, but the venue fills at the prices of its book"
        yield Problem(("venue", "fill_model", "prob_slippage"), f"{text}; remove it")
    for name in ("insert", "update", "cancel"):
        if getattr(venue.latency_ms, name):
            text = f"found {shown(getattr(venue.latency_ms, name))}, but the venue has one latency for every order"
            yield Problem(("venue", "latency_ms", name), f"{text}; use base")
    if venue.latency_ms.base != int(venue.latency_ms.base):
        text = f"found {shown(venue.latency_ms.base)}, but the venue's latency is whole milliseconds"
        yield Problem(("venue", "latency_ms", "base"), f"{text}; round it")
    if venue.leverage != int(venue.leverage):
        yield Problem(("venue", "leverage"), f"found {shown(venue.leverage)}, but the venue knows whole numbers only")
    for index, instrument in enumerate(spec.instruments):
        yield from _instrument_problems(("instruments", index), instrument)
    speeds = {feed.speed for feed in spec.data}
    if len(speeds) > 1:
        yield Problem(("data",), "found several speeds, but one venue plays all datasets; give each the same")
    for index, feed in enumerate(spec.data):
        if feed.speed is not None and not 1 <= feed.speed <= SPEED_MAX:
            text = f"found {shown(feed.speed)}, expected 1 to {SPEED_MAX}: times as fast as the bars were"
            yield Problem(("data", index, "speed"), f"{text}; correct it")
        if not feed.bar_type.endswith("-LAST-EXTERNAL"):
            text = f"found '{feed.bar_type}', but the venue has bars of last prices only; use LAST"
            yield Problem(("data", index, "bar_type"), text)
        for name in ("start", "end"):
            if getattr(feed, name) is not None:
                text = f"found {getattr(feed, name)}, but a venue plays a dataset from its first bar to its last"
                yield Problem(("data", index, name), f"{text}; remove it, or import the part that is wanted")
    if len({feed.instrument_id for feed in spec.data}) != len(spec.data):
        yield Problem(("data",), "found two feeds of one instrument; a paper run plays one dataset an instrument")


def _instrument_problems(path: Path, instrument: Instrument) -> Iterator[Problem]:
    if instrument.kind != "perpetual" or instrument.inverse or instrument.quote_currency != "USDT":
        text = f"found {instrument.id}, but a paper run trades perpetuals that are settled in USDT"
        yield Problem((*path, "kind"), f"{text}; use kind perpetual with quote_currency USDT, not inverse")
    elif instrument.id != f"{instrument.base_currency}{instrument.quote_currency}-PERP.{BINANCE}":
        expected = f"{instrument.base_currency}{instrument.quote_currency}-PERP.{BINANCE}"
        yield Problem((*path, "id"), f"found '{instrument.id}', which the venue does not list; use {expected}")
    elif instrument.multiplier != 1:
        yield Problem((*path, "multiplier"), f"found {shown(instrument.multiplier)}, but the venue's contracts are 1")


def _endpoint_problems(spec: RunSpec) -> Iterator[Problem]:
    """Yield what goes with the run's own venue only, and what a venue of somebody else's needs."""
    venue = spec.venue
    if venue.endpoint is None:
        return
    for name, value, why in (
        ("account", spec.account, "name the account, whose ledger and lock go by it"),
        ("venue.credentials", venue.credentials, "say where the keys are found"),
    ):
        if value is None:
            yield Problem(tuple(name.split(".")), f"is missing; with venue.endpoint {why}")
    for index, feed in enumerate(spec.data):
        if feed.speed is not None:
            text = f"found {shown(feed.speed)}, but the venue at venue.endpoint has a pace of its own; remove it"
            yield Problem(("data", index, "speed"), text)
    if venue.latency_ms.base or venue.fill_model.prob_fill_on_limit != 1 or venue.funding_rate is not None:
        text = "found a latency, fill model or funding rate, but the venue at venue.endpoint has its own; remove them"
        yield Problem(("venue", "endpoint"), text)


def _bounds(path: Path, bound: object) -> Iterator[tuple[Path, object]]:
    if isinstance(bound, dict):
        yield from (((*path, key), each) for key, each in bound.items())
    else:
        yield path, bound


def _refused_in_backtest(spec: RunSpec) -> Iterator[Problem]:
    for name, reason in _PAPER_ONLY.items():
        path: Path = tuple(name.split("."))
        value = _value_of(spec, name)
        if value is not None:
            yield Problem(path, f"found {shown(value)}, but this is for paper runs: {reason}; remove it")
    for index, feed in enumerate(spec.data):
        if feed.speed is not None:
            text = f"found {shown(feed.speed)}, but this is for paper runs: a backtest is not paced; remove it"
            yield Problem(("data", index, "speed"), text)


def _value_of(spec: RunSpec, name: str) -> object:
    value: object = spec
    for part in name.split("."):
        value = getattr(value, part)
    return value
