"""Targets for Prometheus: one file for the pages of all runs, one with a target for each run that has a page."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from tc.durable import make_directory, write_artifact
from tc.observe.sheet import label_text

FLEET, RUNS = "fleet.json", "runs.json"


class RunTarget(NamedTuple):
    """A run that Prometheus is to scrape."""

    run_id: str
    name: str
    mode: str


class FileSd:
    """The two files in `folder`; `address` is where Prometheus finds the exporter. Written only when they change."""

    def __init__(self, folder: Path, address: str) -> None:
        self._folder = folder
        self._address = address
        self._written: dict[str, bytes] = {}

    def update(self, runs: Iterable[RunTarget]) -> None:
        """Bring the files up to date.

        Raises:
            StorageError: one could not be written; it is tried again at the next update.
        """
        fleet = [
            self._group("/metrics", job="tc"),
            self._group("/metrics/exporter", job="tc-exporter"),
        ]
        targets = [
            self._group(
                f"/metrics/run/{run.run_id}", job="tc-run", run_id=run.run_id, run_name=label_text(run.name),
                mode=run.mode,
            )
            for run in sorted(runs)
        ]  # fmt: skip
        self._write(FLEET, fleet)
        self._write(RUNS, targets)

    def _group(self, path: str, **labels: str) -> dict[str, object]:
        return {"targets": [self._address], "labels": {"__metrics_path__": path, **labels}}

    def _write(self, name: str, groups: list[dict[str, object]]) -> None:
        data = (json.dumps(groups, indent=1) + "\n").encode()
        if self._written.get(name) == data:
            return
        make_directory(self._folder)
        write_artifact(self._folder / name, data)
        self._written[name] = data
