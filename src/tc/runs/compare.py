"""Two runs side by side: what went in, what came out, and where they part."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from tc.durable import read_artifact, read_entries
from tc.evidence.result_digest import CanonicalEntry, first_difference
from tc.model.difference import diff
from tc.model.reading import read_run_spec
from tc.store.run_directory import JOURNAL, METRICS, RUN_SPEC, RunDirectory

_TEXT_SHOWN_MAX = 300


@dataclass(frozen=True)
class Comparison:
    """What differs between two runs; `is_equal` speaks of the results alone."""

    before: str
    after: str
    inputs: list[str]
    numbers: list[tuple[str, Any, Any]]
    first_difference: list[str]

    @property
    def is_equal(self) -> bool:
        """Whether both runs had the same result, entry by entry."""
        return not self.first_difference

    def as_json(self) -> dict[str, Any]:
        """Return the comparison for machines."""
        return {**asdict(self), "is_equal": self.is_equal}

    def lines(self) -> list[str]:
        """Return the comparison for people."""
        lines = [f"{self.before}  against  {self.after}", "inputs:"]
        lines += [f"  {line}" for line in self.inputs] or ["  the same"]
        lines.append("numbers:")
        lines += [f"  {name}: {before} -> {after}" for name, before, after in self.numbers] or ["  the same"]
        lines.append("result: the same, entry by entry" if self.is_equal else "result: they part at")
        lines += [f"  {line}" for line in self.first_difference]
        return lines


def compare_runs(before: RunDirectory, after: RunDirectory) -> Comparison:
    """Return what differs between two runs' inputs, numbers and results."""
    one, two = before.metadata(), after.metadata()
    specs = [read_run_spec(read_artifact(run.file(RUN_SPEC)), RUN_SPEC) for run in (before, after)]
    inputs = [f"spec {line.path}: {line.before} -> {line.after}" for line in diff(*specs)]
    inputs += _differing("data", _by(one["data"], "dataset", "fingerprint"), _by(two["data"], "dataset", "fingerprint"))
    inputs += _differing("strategy", _by(one["strategies"], "id", "digest"), _by(two["strategies"], "id", "digest"))
    for what in ("code", "wheels", "interpreter"):
        inputs += _differing(what, one[what], two[what])
    numbers = _differing_numbers(_flat(before.document(METRICS)), _flat(after.document(METRICS)))
    found = first_difference(read_entries(before.file(JOURNAL)), read_entries(after.file(JOURNAL)))
    parting = [] if found is None else [_side(before.run_id, found.before), _side(after.run_id, found.after)]
    return Comparison(before.run_id, after.run_id, inputs, numbers, parting)


def _by(rows: list[dict[str, Any]], key: str, value: str) -> dict[str, str]:
    return {str(row[key]): str(row[value]) for row in rows}


def _differing(what: str, before: dict[str, str], after: dict[str, str]) -> list[str]:
    names = sorted(before.keys() | after.keys())
    return [
        f"{what} {name}: {before.get(name, 'absent')} -> {after.get(name, 'absent')}"
        for name in names
        if before.get(name) != after.get(name)
    ]


_OF_ONE_RUN = ("run_id", "started", "ended", "duration_s", "activity")  # of the last: the same counts, and times


def _flat(document: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in document.items():
        if name in _OF_ONE_RUN:
            continue
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        elif not isinstance(value, list):
            flat[prefix + name] = value
    return flat


def _differing_numbers(before: dict[str, Any], after: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    names = list(dict.fromkeys([*before, *after]))
    return [(name, before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)]


def _side(run_id: str, entry: CanonicalEntry | None) -> str:
    if entry is None:
        return f"{run_id}: no more entries"
    return f"{run_id}: seq {entry.seq} {entry.text.decode()[:_TEXT_SHOWN_MAX]}"
