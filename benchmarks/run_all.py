"""`make bench`: every speed the product promises, each beside a baseline measured in the same run.

Each group runs in a process of its own, so that none pays for what another imported: run_all.py [GROUP …]
"""

from __future__ import annotations

import importlib
import subprocess
import sys

import measure

GROUPS = ("start", "loading", "journal", "ledger", "engine", "gate", "paper", "metrics")
MODULES = {"metrics": "metrics_scale"}


def main() -> None:
    """Run the named groups, or all; a single one runs here."""
    names = sys.argv[1:] or GROUPS
    if len(names) == 1:
        print(f"-- {names[0]}", flush=True)
        importlib.import_module(MODULES.get(names[0], f"{names[0]}_speed")).measure()
        sys.exit(1 if measure.failed else 0)
    failed = [name for name in names if subprocess.run([sys.executable, __file__, name], check=False).returncode]
    sys.exit(1 if failed else 0)


main()
