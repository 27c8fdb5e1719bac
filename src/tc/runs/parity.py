"""Compare a backtest with a paper run of the same strategies: repeat, model, replay, and give each order its cause."""

from __future__ import annotations

import tempfile
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tc.durable import read_artifact, read_entries, unprotect_tree, write_artifact
from tc.errors import ChildFailed, InputError
from tc.evidence.manifest import Finding, check_manifest
from tc.evidence.parity import FILL_MODEL, GAP, LATENCY, Model, Parity, explain
from tc.evidence.parity_order import Key, ParityOrder, read_orders
from tc.model.reading import read_run_spec
from tc.model.run_spec import RunSpec
from tc.runs.inputs import LoadedFeed, load_feed
from tc.runs.parity_paper import PaperSide, prover
from tc.store.roots import Roots
from tc.store.run_directory import JOURNAL, RUN_SPEC, VENUE_ORDERS, RunDirectory
from tc.store.run_store import RunStore
from tc.supervise.process import run_tc

_ALIKE = ("instruments", "strategies")
Say = Callable[[str], None]


@dataclass(frozen=True)
class Compared:
    """A comparison with what it is of; `bars` is how many bars both runs had, `findings` what is not as sealed."""

    backtest: RunDirectory
    paper: RunDirectory
    parity: Parity
    bars: int
    models: list[str]
    findings: list[Finding] = field(default_factory=list)

    @property
    def is_explained(self) -> bool:
        """Whether both runs are what was sealed and no order differs without a cause."""
        return not self.findings and not self.parity.unexplained


def compare_with_paper(roots: Roots, backtest_id: str, paper_id: str, base: Path | None, say: Say) -> Compared:
    """Return every order that is not the same in both runs, with the cause of each part of the difference.

    `base` is the folder of the strategies' relative paths where it has moved; `say` is told what is being done.

    Raises:
        InputError: these two cannot be compared; the message says why.
        ChildFailed: a model could not be run.
    """
    store = RunStore(roots)
    backtest, paper = _sealed(store.find(backtest_id), "backtest"), _sealed(store.find(paper_id), "paper")
    specs = [read_run_spec(read_artifact(run.file(RUN_SPEC)), RUN_SPEC) for run in (backtest, paper)]
    _require_alike(*specs)
    folder = base or Path(backtest.metadata()["spec"]["path"]).parent
    ours, feeds = ([load_feed(feed, spec, roots) for feed in spec.data] for spec in specs)
    _require_same_data(ours, feeds, paper.run_id)
    closes = {feed.feed.instrument_id: [int(ts) for ts in feed.table.ts_event] for feed in feeds}
    say("reading what reached the paper run's strategies")
    side = PaperSide.read(paper, closes)
    if not side.bars:
        raise InputError(f"run {paper.run_id} got no bar of the backtest's data; compare runs of the same data")
    findings = [
        Finding(f"{run.run_id}/{one.file}", one.problem) for run in (backtest, paper) for one in check_manifest(run)
    ]
    lab = _Lab(backtest, folder, closes, side)
    say("repeating the backtest")
    repeated = lab.orders_of({})
    models = list(_models(specs[0], lab, side, say))
    say("replaying the paper run's decisions, and its orders at the venue")
    proof_of = prover(paper, side, specs[1], feeds, folder)
    parity = explain(lab.own_orders(), repeated, models, side.orders, proof_of)
    return Compared(backtest, paper, parity, side.bars, [model.name for model in models], findings)


def _sealed(run: RunDirectory, mode: str) -> RunDirectory:
    if not run.is_sealed:
        raise InputError(f"run {run.run_id} is not sealed; wait for it to end, or `tc runs recover {run.run_id}`")
    found = run.metadata()["mode"]
    if found != mode:
        raise InputError(f"run {run.run_id} is a {found} run, expected a {mode} run; exchange the two, or name another")
    if mode == "paper" and not run.file(VENUE_ORDERS).is_file():
        raise InputError(
            f"run {run.run_id} has no {VENUE_ORDERS}: only runs with a venue of their own can be compared; "
            "leave venue.endpoint out of the spec"
        )
    return run


def _require_alike(one: RunSpec, other: RunSpec) -> None:
    for name in _ALIKE:
        if getattr(one, name) != getattr(other, name):
            raise InputError(
                f"the specs' {name} differ, so that the runs are not of the same thing; `tc spec diff` says how"
            )
    bar_types = [[feed.bar_type for feed in spec.data] for spec in (one, other)]
    if bar_types[0] != bar_types[1]:
        raise InputError(
            f"the backtest is of {bar_types[0]}, the paper run of {bar_types[1]}; compare runs of the same"
        )


def _require_same_data(ours: list[LoadedFeed], theirs: list[LoadedFeed], paper_id: str) -> None:
    for one, other in zip(ours, theirs, strict=True):
        is_recorded = one.info.source.options.get("run_id") == paper_id
        if one.info.fingerprint != other.info.fingerprint and not is_recorded:
            raise InputError(
                f"the backtest ran on {one.feed.dataset}, the paper run on {other.feed.dataset}; run the backtest on "
                f"that, or make one with `tc evidence replay --paper-run-id {paper_id}`"
            )


def _models(spec: RunSpec, lab: _Lab, side: PaperSide, say: Say) -> list[Model]:
    models = []
    latency = spec.venue.latency_ms
    if any((latency.base, latency.insert, latency.update, latency.cancel)):
        say("the backtest without its latency")
        models.append(Model("no latency", LATENCY, lab.orders_of({"latency_ms": None})))
    say("the backtest in the venue's market")
    in_market = {"latency_ms": None, "fill_model": {"market": "loopback"}}
    models.append(Model("the venue's market", FILL_MODEL, lab.orders_of(in_market)))
    if side.missing:
        say(f"the same without the {side.missing:,} bars that did not reach the paper run")
        models.append(Model("bars as received", GAP, lab.orders_of(in_market, side)))
    return models


class _Lab:
    """Runs the backtest's spec again in a scratch folder, changed in one thing."""

    def __init__(self, run: RunDirectory, folder: Path, closes: dict[str, list[int]], side: PaperSide) -> None:
        self._run = run
        self._folder = folder
        self._closes = closes
        self._side = side

    def own_orders(self) -> dict[Key, ParityOrder]:
        """Return the orders of the backtest itself."""
        return self._read(self._run)

    def orders_of(self, venue: dict[str, Any], received: PaperSide | None = None) -> dict[Key, ParityOrder]:
        """Return the orders of the spec with other `venue` keys (None: left out) and with the bars `received`."""
        spec = yaml.safe_load(read_artifact(self._run.file(RUN_SPEC)))
        for name, value in venue.items():
            spec["venue"].pop(name, None)
            if value is not None:
                spec["venue"][name] = value
        with tempfile.TemporaryDirectory(prefix="tc-parity-") as scratch:
            runtime = self._run.roots.runtime
            if received is not None:
                runtime = Path(scratch) / "runtime"
                for feed in spec["data"] if isinstance(spec["data"], list) else [spec["data"]]:
                    received.store(runtime, self._run.roots.runtime, feed["dataset"])
                    feed.pop("fingerprint", None)
            path = Path(scratch) / "model.yaml"
            write_artifact(path, yaml.safe_dump(spec, sort_keys=False).encode())
            arguments = ["run", str(path), "--run-id", "model", "--base", str(self._folder), "--json"]
            arguments += ["--bars-max", str(self._side.bars_max), "--artifacts-root", scratch]
            child = run_tc([*arguments, "--runtime-root", str(runtime)])
            model = RunDirectory(Roots(Path(scratch), runtime), "model")
            try:
                if not model.is_sealed:
                    raise ChildFailed(f"a model of {self._run.run_id} exited {child.exit_code}:\n{child.stderr}")
                return self._read(model)
            finally:
                if model.path.is_dir():
                    unprotect_tree(model.path)

    def _read(self, run: RunDirectory) -> dict[Key, ParityOrder]:
        return read_orders(read_entries(run.file(JOURNAL)), self._bar_of)

    def _bar_of(self, said: dict[str, Any]) -> int | None:
        closes = self._closes.get(said["instrument_id"], [])
        place = bisect_right(closes, int(said["ts_init"])) - 1
        return closes[place] if place >= 0 and self._side.covers(closes[place]) else None
