"""What a mode does not honor is refused: no field of a RunSpec is decoration."""

from __future__ import annotations

from collections.abc import Iterator

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
        return [Problem(("mode",), "found 'paper', but this version runs backtests only; use mode: backtest")]
    return list(_refused_in_backtest(spec))


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
    for index, strategy in enumerate(spec.strategies):
        if strategy.mode == "observe":
            text = "found 'observe', but this version has no gate to hold its orders; use active or off"
            yield Problem(("strategies", index, "mode"), text)
    if all(strategy.mode == "off" for strategy in spec.strategies):
        yield Problem(("strategies",), "found every mode off, so nothing would run; set at least one to active")


def _value_of(spec: RunSpec, name: str) -> object:
    value: object = spec
    for part in name.split("."):
        value = getattr(value, part)
    return value
