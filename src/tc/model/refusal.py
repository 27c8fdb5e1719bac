"""What a mode does not honor is refused: no field of a RunSpec is decoration."""

from __future__ import annotations

from collections.abc import Iterator

from tc.model.limit import DEFAULTS, Limits
from tc.model.limit_value import UNLIMITED
from tc.model.problem import Path, Problem
from tc.model.run_spec import RunSpec
from tc.model.sentence import shown

_PAPER_ONLY = {
    "account": "a backtest's account lives in memory",
    "safety": "a backtest ends with its data and leaves nothing behind",
    "duration": "a backtest ends with its data, so use data.start and data.end",
    "connectivity_readiness": "a backtest connects to nothing",
    "venue.endpoint": "a backtest connects to nothing",
    "venue.credentials": "a backtest connects to nothing",
}


def refused_fields(spec: RunSpec) -> list[Problem]:
    """Return every field that this version does not honor in the spec's mode."""
    if spec.mode == "paper":
        return list(_refused_in_paper(spec))
    return list(_refused_in_backtest(spec))


def _refused_in_paper(spec: RunSpec) -> Iterator[Problem]:
    yield Problem(("mode",), "found 'paper', but this version runs backtests only; use mode: backtest")
    for name in Limits.model_fields:
        bound = getattr(spec.risk, name)
        for path, each in _bounds(("risk", name), bound):
            if each == UNLIMITED and DEFAULTS.get(name) != UNLIMITED:
                text = "found 'unlimited', but that is for backtests: a paper run has a number for every limit"
                yield Problem(path, f"{text}; give one")


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
    if all(strategy.mode == "off" for strategy in spec.strategies):
        yield Problem(("strategies",), "found every mode off, so nothing would run; set one to active or observe")


def _value_of(spec: RunSpec, name: str) -> object:
    value: object = spec
    for part in name.split("."):
        value = getattr(value, part)
    return value
