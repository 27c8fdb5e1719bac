"""Archives and removes, or brings back, between two marks: `archive_step.py HOW ROOT ARCHIVE`."""

from __future__ import annotations

import os
import shutil
import sys
import tarfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from support.mark import marked
from support.outcome import exit_with_outcome
from tc.durable.process import boot_id, host, own_start_time
from tc.runs.archive import archive_runs, unarchive_runs
from tc.store.roots import Roots

RUNS = ["one", "two"]


def naive(roots: Roots, path: Path) -> None:
    """The naive way: pack under the final name, remove, hope."""
    path.parent.mkdir(exist_ok=True)
    with tarfile.open(path, "w:gz") as tar:
        for run_id in RUNS:
            tar.add(roots.runs / run_id, f"runs/{run_id}")
            for folder, _, _ in os.walk(roots.runs / run_id):
                os.chmod(folder, 0o755)
            shutil.rmtree(roots.runs / run_id)


OPERATIONS = {
    "archive": lambda roots, path: archive_runs(roots, RUNS, path, remove=True),
    "unarchive": unarchive_runs,
    "naive": naive,
}


def main() -> None:
    how, root, path = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    own_start_time(), boot_id(), host()  # read once a process, not once an operation

    def operation() -> None:
        with marked():
            OPERATIONS[how](Roots.of(root / "artifacts", root / "runtime"), path)

    exit_with_outcome(operation)


main()
