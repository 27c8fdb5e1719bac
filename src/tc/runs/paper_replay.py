"""Turn what a paper session recorded into a dataset, and its spec into a backtest on it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tc.data.bar_table import BarTable
from tc.data.dataset_info import Source
from tc.data.dataset_store import DatasetStore
from tc.durable import make_directory, read_artifact, read_entries, write_artifact
from tc.errors import InputError
from tc.evidence.manifest import digest_file
from tc.ids import plain_id
from tc.model.reading import read_run_spec
from tc.model.run_spec import RunSpec
from tc.model.value import bar_seconds
from tc.runs.start import RunRequest, Watcher, start_run
from tc.store.roots import Roots
from tc.store.run_directory import INPUTS, RUN_SPEC, RunDirectory
from tc.store.run_store import RunStore

_NS = 1_000_000_000
_PAPER_ONLY = ("account", "safety", "duration", "connectivity_readiness")
_VENUE_PAPER_ONLY = ("endpoint", "credentials", "funding_rate")
_PRICES = ("open", "high", "low", "close", "volume")


@dataclass(frozen=True)
class Replayed:
    """The backtest that was made of a paper run: its datasets, its spec, its run."""

    datasets: list[str]
    spec_path: Path
    run_id: str
    exit_code: int


def replay_paper(roots: Roots, paper_id: str, base: Path | None, watcher: Watcher, *, replace: bool) -> Replayed:
    """Store the bars that a paper run got as datasets, and run its strategies over them as a backtest.

    The dataset is `replay-<run_id>` (with several instruments one each, its symbol behind it), the spec lies below
    `artifacts/evidence/replay/`.

    Raises:
        InputError: it is no paper run, or got no bars.
        AlreadyExists: the dataset is there and `replace` is not set.
    """
    run = RunStore(roots).find(paper_id)
    spec = read_run_spec(read_artifact(run.file(RUN_SPEC)), RUN_SPEC)
    if spec.mode != "paper" or not run.file(INPUTS).is_file():
        raise InputError(f"run {paper_id} recorded no inputs; only a paper run can be replayed as a backtest")
    names = _store(run, spec, replace=replace)
    folder = roots.evidence / "replay"
    make_directory(folder)
    path = folder / f"{run.run_id}.yaml"
    write_artifact(path, yaml.safe_dump(_as_backtest(run, names), sort_keys=False, allow_unicode=True).encode())
    sources = base or Path(run.metadata()["spec"]["path"]).parent
    result = start_run(RunRequest(path, roots, base=sources), watcher)
    return Replayed(sorted(names.values()), path, result.run_id, result.exit_code)


def _store(run: RunDirectory, spec: RunSpec, *, replace: bool) -> dict[str, str]:
    rows: dict[str, dict[int, list[float]]] = {}
    for entry in read_entries(run.file(INPUTS)):
        if entry.type != "DataReceived" or b'"bar_type":' not in entry.data:
            continue
        item = json.loads(entry.data)["item"]
        step_ns = bar_seconds(item["bar_type"]) * _NS
        close = -(-int(item["ts_event"]) // step_ns) * step_ns  # the adapter stamps it a millisecond early
        rows.setdefault(item["bar_type"], {})[close] = [float(item[name]) for name in _PRICES]
    names = {}
    for feed in spec.data:
        bars = rows.get(feed.bar_type)
        if not bars:
            raise InputError(f"run {run.run_id} got no bar of {feed.bar_type}; there is nothing to replay")
        instrument = spec.instrument(feed.instrument_id)
        suffix = f"-{instrument.symbol.lower()}" if len(spec.data) > 1 else ""
        name = plain_id(f"replay-{run.run_id}{suffix}", "dataset")
        ordered = sorted(bars)
        columns = list(zip(*(bars[close] for close in ordered), strict=True))
        options = {"run_id": run.run_id, "bar_type": feed.bar_type}
        DatasetStore(run.roots.runtime).save(
            name,
            BarTable.of(ordered, *columns),
            price_precision=instrument.price_precision,
            volume="base",
            synthetic=_is_synthetic(run, feed.bar_type),
            source=Source("paper", INPUTS, digest_file(run.file(INPUTS)), options),
            step_ns=bar_seconds(feed.bar_type) * _NS,
            replace=replace,
        )
        names[feed.bar_type] = name
    return names


def _is_synthetic(run: RunDirectory, bar_type: str) -> bool:
    return any(feed["synthetic"] for feed in run.metadata()["data"] if feed["bar_type"] == bar_type)


def _as_backtest(run: RunDirectory, names: dict[str, str]) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(read_artifact(run.file(RUN_SPEC)))
    for name in _PAPER_ONLY:
        document.pop(name, None)
    for name in _VENUE_PAPER_ONLY:
        document["venue"].pop(name, None)
    document["mode"] = "backtest"
    feeds = document["data"] if isinstance(document["data"], list) else [document["data"]]
    for feed in feeds:
        feed.pop("speed", None)
        feed.pop("fingerprint", None)
        feed.pop("volume_constant", None)
        feed.update(dataset=names[feed["bar_type"]], volume="base")
    return document
