"""Two RunSpecs compared field by field, defaults written out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from enum import Enum
from typing import Any, Final, NamedTuple

from tc.model.problem import Path, dotted
from tc.model.run_spec import RunSpec


class Absent(Enum):
    """Stands for a value that one side does not have; `null` is a value."""

    ABSENT = "(absent)"

    def __str__(self) -> str:
        return self.value


ABSENT: Final = Absent.ABSENT


class Difference(NamedTuple):
    """One field that differs; `before` and `after` are JSON values or ABSENT."""

    path: str
    before: Any
    after: Any


def diff(before: RunSpec, after: RunSpec) -> list[Difference]:
    """Return every field that differs, in schema order; empty exactly when the digests are equal."""
    left = before.model_dump(mode="json", by_alias=True)
    right = after.model_dump(mode="json", by_alias=True)
    return list(_differences(left, right, ()))


def _differences(before: Any, after: Any, path: Path) -> Iterator[Difference]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in [*before, *(key for key in after if key not in before)]:
            yield from _differences(before.get(key, ABSENT), after.get(key, ABSENT), (*path, key))
    elif isinstance(before, list) and isinstance(after, list):
        for index in range(max(len(before), len(after))):
            left = before[index] if index < len(before) else ABSENT
            right = after[index] if index < len(after) else ABSENT
            yield from _differences(left, right, (*path, index))
    elif not _is_same(before, after):
        yield Difference(dotted(path), before, after)


def _is_same(before: Any, after: Any) -> bool:
    if before is ABSENT or after is ABSENT:
        return before is after
    return json.dumps(before) == json.dumps(after)  # Python calls 1, 1.0 and true equal
