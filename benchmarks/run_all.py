"""`make bench`: every speed the product promises, each beside a baseline measured in the same run.

Run one group by name: run_all.py engine|journal|loading|start|storage
"""

from __future__ import annotations

import sys

import engine_speed
import journal_speed
import loading_speed
import start_speed

GROUPS = {
    "start": start_speed.measure,
    "loading": loading_speed.measure,
    "journal": journal_speed.measure,
    "engine": engine_speed.measure,
}


def main() -> None:
    """Run the named groups, or all."""
    for name in sys.argv[1:] or GROUPS:
        print(f"-- {name}", flush=True)
        GROUPS[name]()


main()
