"""The two roots every command works under, and the folders below them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

ARTIFACTS_ROOT_VARIABLE = "TC_ARTIFACTS_ROOT"
RUNTIME_ROOT_VARIABLE = "TC_RUNTIME_ROOT"


@dataclass(frozen=True)
class Roots:
    """Where evidence (`artifacts`) and live state (`runtime`) are kept."""

    artifacts: Path
    runtime: Path

    @classmethod
    def of(cls, artifacts: Path | None, runtime: Path | None) -> Roots:
        """Return the given roots; what is None comes from the environment, then from the current folder."""
        chosen = artifacts or Path(os.environ.get(ARTIFACTS_ROOT_VARIABLE) or "artifacts")
        live = runtime or Path(os.environ.get(RUNTIME_ROOT_VARIABLE) or "runtime")
        return cls(chosen.resolve(), live.resolve())

    @property
    def runs(self) -> Path:
        """One directory a run."""
        return self.artifacts / "runs"

    @property
    def anchors(self) -> Path:
        """One small file a sealed run, outside its directory, that repeats the manifest's digest."""
        return self.artifacts / "anchors"

    @property
    def evidence(self) -> Path:
        """What is found out about runs after they were sealed, and about what is not a run."""
        return self.artifacts / "evidence"

    @property
    def locks(self) -> Path:
        """One permanent lock file a run, held for life by the process that runs it."""
        return self.artifacts / "locks"

    @property
    def datasets(self) -> Path:
        """Imported and generated datasets."""
        return self.runtime / "datasets"

    @property
    def kill_switch(self) -> Path:
        """Kill latches of runs."""
        return self.runtime / "kill_switch"

    @property
    def alerts(self) -> Path:
        """Journals and log sinks of alerts, by run_id."""
        return self.runtime / "alerts"

    @property
    def nodes(self) -> Path:
        """Scratch of running nodes, by run_id."""
        return self.runtime / "nodes"
