"""A small world for whole-command tests: roots with a dataset, a spec, and `tc` as a real process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.engine_lab import SPEC, lab_bars
from tc.data.dataset_info import Source
from tc.data.dataset_store import DatasetStore


@dataclass(frozen=True)
class Lab:
    """A folder with `lab.yaml`, `runtime/` and `artifacts/`."""

    root: Path

    @property
    def spec(self) -> Path:
        """The spec file."""
        return self.root / "lab.yaml"

    @property
    def artifacts(self) -> Path:
        """The artifacts root."""
        return self.root / "artifacts"

    @property
    def runtime(self) -> Path:
        """The runtime root."""
        return self.root / "runtime"

    def command(self, *arguments: str) -> list[str]:
        """Return the command line of `tc` under this lab's roots."""
        roots = ["--runtime-root", str(self.runtime)]
        if arguments[0] != "data":  # which knows no runs
            roots += ["--artifacts-root", str(self.artifacts)]
        return [sys.executable, "-P", "-m", "tc", *arguments, *roots]

    def tc(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run `tc` to its end."""
        return subprocess.run(self.command(*arguments), capture_output=True, text=True, check=False, **options)

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        """Start `tc` and return the process."""
        return subprocess.Popen(
            self.command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
        )

    def run(self, run_id: str, *options: str) -> dict[str, Any]:
        """Run the spec and return what `--json` says; it must succeed."""
        done = self.tc("run", str(self.spec), "--run-id", run_id, "--json", *options)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def listed(self) -> dict[str, dict[str, Any]]:
        """Return `tc runs list` by run id."""
        done = self.tc("runs", "list", "--all", "--json")
        assert done.returncode == 0, done.stderr
        return {run["run_id"]: run for run in json.loads(done.stdout)}

    def file(self, run_id: str, name: str) -> Path:
        """Return a file of a run."""
        return self.artifacts / "runs" / run_id / name


def make_lab(root: Path, *, bars: int = 2000, spec: str = SPEC) -> Lab:
    """Return a lab with a dataset named `lab`."""
    lab = Lab(root)
    root.mkdir(parents=True, exist_ok=True)
    lab.spec.write_text(spec)
    store = DatasetStore(lab.runtime)
    store.save(
        "lab",
        lab_bars(bars),
        price_precision=1,
        volume="base",
        synthetic=True,
        source=Source("generated", None, None, {}),
    )
    return lab


def environment(**changes: str) -> dict[str, str]:
    """Return this process's environment with changes."""
    return {**os.environ, **changes}
