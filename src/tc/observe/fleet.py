"""The page of all runs: what `/metrics` says, from the index of ended runs and the views of running ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tc.observe.catalogue import by_name
from tc.observe.drill import Drill
from tc.observe.index import RunIndex
from tc.observe.run_view import RunView
from tc.observe.sheet import Key, Sample, Sheet, states
from tc.observe.tally import Tally, tally_of
from tc.observe.vocabulary import DRILL_VERDICTS, OTHER
from tc.store.kill_latch import KillLatch
from tc.store.run_directory import METADATA

DRILLS_MAX = 50
_GROUPED = frozenset(name for name, family in by_name("fleet").items() if family.label_names[:1] == ("group",))


def fleet_sheet(index: RunIndex) -> Sheet:
    """Return the page as of the index's last look."""
    running = [index.running[name] for name in sorted(index.running)]
    recent = [index.tally(name) for name in index.recent_ids()]
    here = [tally_of(view) for view in running]
    sheet = Sheet("fleet")
    sheet.put(("tc_run_info", (one.run_id, one.name, one.mode, one.status), 1.0) for one in (*here, *recent))
    sheet.put(_amounts(index, here, recent))
    sheet.put(("tc_fleet_last_ended_timestamp_seconds", key, time) for key, time in index.last_ended())
    sheet.put(_standing(running))
    on_runs = (drill for tally in (*index.drilled(), *here) for drill in tally.drills)
    sheet.put(_drills([*on_runs, *index.own_drills.drills()]))
    sheet.put([("tc_fleet_kill_all_latched", (), float(KillLatch.of_all().state() is not None))])
    return sheet


def _amounts(index: RunIndex, here: list[Tally], recent: list[Tally]) -> Iterator[Sample]:
    running, last = _sums(here), _sums(recent)
    for key, total in index.totals.items():
        name, labels = key
        if name in _GROUPED:
            yield name, ("older", *labels), total - last.get(key, 0.0)
    for group, sums in (("running", running), ("recent", last)):
        for (name, labels), total in sums.items():
            if name in _GROUPED:
                yield name, (group, *labels), total
    broken: dict[Key, float] = {("tc_fleet_broken_artifacts", (METADATA,)): float(len(index.foreign))}
    for sums in (index.totals, running):
        for key, total in sums.items():
            if key[0] not in _GROUPED and key[0] != "tc_fleet_runs":
                broken[key] = broken.get(key, 0.0) + total
    for (name, labels), total in broken.items():
        yield name, labels, total


def _sums(tallies: Iterable[Tally]) -> dict[Key, float]:
    found: dict[Key, float] = {}
    for tally in tallies:
        for key, amount in tally.amounts:
            found[key] = found.get(key, 0.0) + amount
    return found


def _standing(running: list[RunView]) -> Iterator[Sample]:
    for mode in {view.mode for view in running}:
        yield "tc_fleet_nodes_up", (mode,), float(sum(view.is_up for view in running if view.mode == mode))
    yield "tc_fleet_agents_armed", (), float(sum(view.has("tc_agent_armed") for view in running))
    yield "tc_fleet_runs_latched", (), float(sum(view.has("tc_kill_latched") for view in running))
    for name in ("open", "unacknowledged"):
        sums: dict[tuple[str, ...], float] = {}
        for view in running:
            for labels, value in view.series(f"tc_alerts_{name}"):
                sums[labels] = sums.get(labels, 0.0) + value
        for labels, total in sums.items():
            yield f"tc_fleet_alerts_{name}", labels, total


def _drills(drills: list[Drill]) -> Iterator[Sample]:
    last: dict[str, Drill] = {}
    for drill in sorted(drills, key=lambda drill: drill.ended_s):
        known = drill.name in last or len(last) < DRILLS_MAX
        last[drill.name if known else OTHER] = drill
    for name, drill in last.items():
        yield from states("tc_drill_verdict", drill.verdict, DRILL_VERDICTS, name)
        yield "tc_drill_ended_timestamp_seconds", (name,), drill.ended_s
