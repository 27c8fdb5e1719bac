"""What a strategy's config may hold: finite, exact numbers, and only the run's own instruments and feeds.

The config belongs to the strategy; these are the rules that hold for any strategy, because a NaN passes every
comparison of a limit and because the instruments of a spec are a limit themselves.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from tc.model.problem import Path, Problem
from tc.model.yaml_source import WrittenFloat

_NOT_FINITE_TEXT = re.compile(r"[-+]?(s?nan|inf(inity)?)", re.IGNORECASE)
_INSTRUMENT_KEYS = frozenset({"instrument_id", "instrument_ids"})
_BAR_TYPE_KEYS = frozenset({"bar_type", "bar_types"})


def number_problems(config: dict[str, Any]) -> Iterator[Problem]:
    """Yield the numbers that are not finite, and those whose digits a binary float would change."""
    for path, value in _leaves(config, ()):
        if isinstance(value, str) and _NOT_FINITE_TEXT.fullmatch(value):
            yield Problem(path, f"found {value!r}, expected a finite number; correct it")
        elif isinstance(value, float):
            text = value.text if isinstance(value, WrittenFloat) else repr(value)
            if not math.isfinite(value):
                yield Problem(path, f"found {text}, expected a finite number; correct it")
            elif Decimal(repr(float(value))) != Decimal(text):
                yield Problem(path, f"found {text}, which a float rounds to {float(value)!r}; put quotes around it")


def reference_problems(config: dict[str, Any], instrument_ids: list[str], bar_types: list[str]) -> Iterator[Problem]:
    """Yield what the config names under instrument_id or bar_type and the run does not have."""
    for path, value in _leaves(config, ()):
        key = next((part for part in reversed(path) if isinstance(part, str)), "")
        if not isinstance(value, str):
            continue
        if key in _INSTRUMENT_KEYS and value not in instrument_ids:
            text = f"found '{value}', which is not under instruments ({', '.join(instrument_ids)})"
            yield Problem(path, f"{text}; add it there or correct it")
        if key in _BAR_TYPE_KEYS:
            problem = _bar_type_problem(value, instrument_ids, bar_types)
            if problem is not None:
                yield Problem(path, problem)


def claimed_instruments(config: dict[str, Any], instrument_ids: list[str]) -> set[str]:
    """Return the instruments that a strategy with this config trades: those it names, else those of its bars."""
    named: dict[str, set[str]] = {"instrument": set(), "bars": set()}
    for path, value in _leaves(config, ()):
        key = next((part for part in reversed(path) if isinstance(part, str)), "")
        if isinstance(value, str) and key in _INSTRUMENT_KEYS:
            named["instrument"].add(value)
        elif isinstance(value, str) and key in _BAR_TYPE_KEYS:
            named["bars"].add(value.partition("@")[0].rsplit("-", 4)[0])
    return (named["instrument"] or named["bars"]) & set(instrument_ids)


def _bar_type_problem(value: str, instrument_ids: list[str], bar_types: list[str]) -> str | None:
    target, _, source = value.partition("@")
    instrument_id, *rest = target.rsplit("-", 4)
    if len(rest) != 4 or instrument_id not in instrument_ids:
        known = ", ".join(instrument_ids)
        return f"found '{value}', which is a bar type of none of the instruments ({known}); correct it"
    if target.endswith("-INTERNAL") and not source.endswith("-EXTERNAL"):
        return None  # built inside the engine
    needed = f"{instrument_id}-{source.removesuffix('-EXTERNAL')}-{rest[2]}-EXTERNAL" if source else target
    if needed in bar_types:
        return None
    return f"found '{value}', but data delivers {', '.join(bar_types)}; add a feed of {needed} or correct it"


def _leaves(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, dict):
        for key, child in value.items():
            yield from _leaves(child, (*path, key))
    elif isinstance(value, tuple | list):
        for index, child in enumerate(value):
            yield from _leaves(child, (*path, index))
    else:
        yield path, value
