"""What one run adds to the amounts of all runs, small enough to be kept for every run there ever was."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from tc.model.histogram import Histogram
from tc.observe.drill import Drill
from tc.observe.run_view import RunView
from tc.observe.sheet import Key

_BY_MODE = {
    "tc_orders_initialized_total": "tc_fleet_orders",
    "tc_orders_rejected_total": "tc_fleet_orders_rejected",
    "tc_fills_total": "tc_fleet_fills",
    "tc_bars_delivered_total": "tc_fleet_bars",
    "tc_positions_open": "tc_fleet_positions_open",
    "tc_journal_entries_total": "tc_fleet_journal_entries",
    "tc_journal_size_bytes": "tc_fleet_journal_size_bytes",
}
_BY_LABELS = {
    "tc_intents_denied_total": "tc_fleet_intents_denied",
    "tc_reconciliation_status": "tc_fleet_reconciliations",
    "tc_reconciliation_breaks": "tc_fleet_reconciliation_breaks",
}


class Tally(NamedTuple):
    """An ended or running run; `amounts` are by family of `/metrics` and labels, the group left out."""

    run_id: str
    name: str
    mode: str
    status: str
    ended_s: float
    amounts: tuple[tuple[Key, float], ...]
    drills: tuple[Drill, ...]
    problems: tuple[str, ...]

    @property
    def place(self) -> tuple[float, str]:
        """Where it stands among the ended runs: the last to end is the last."""
        return (self.ended_s, self.run_id)


def tally_of(view: RunView) -> Tally:
    """Return what a run adds."""
    return Tally(
        view.run_id, view.name, view.mode, view.status, view.ended_s, tuple(_amounts(view)), view.drills,
        tuple(sorted(view.problems)),
    )  # fmt: skip


def _amounts(view: RunView) -> Iterator[tuple[Key, float]]:
    """Yield what is not 0; keys are shared between runs, which keeps thousands of them small."""
    found: dict[Key, float] = {shared_key("tc_fleet_runs", view.mode, view.status): 1.0}
    found |= {shared_key("tc_fleet_broken_artifacts", artifact): 1.0 for artifact in view.problems}
    for (name, labels), value in view.values.items():
        if isinstance(value, Histogram) or not value:
            continue
        if name in _BY_MODE:
            key = shared_key(_BY_MODE[name], view.mode)
            found[key] = found.get(key, 0.0) + value
        elif name in _BY_LABELS:
            found[shared_key(_BY_LABELS[name], *labels)] = value
    yield from found.items()


_keys: dict[Key, Key] = {}


def shared_key(name: str, *labels: str) -> Key:
    """Return the one key of a family and labels: thousands of runs hold the same few."""
    key = (name, labels)
    return _keys.setdefault(key, key)
