"""A child of a drill that takes a lock and holds it until it is ended: `python -m tc.drills.hold_lock PATH`."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from tc.durable import FileLock

TIMEOUT_S = 20.0

if __name__ == "__main__":
    with FileLock(Path(sys.argv[1]), purpose="a drill", timeout_s=TIMEOUT_S):
        sys.stdout.write("held\n")
        sys.stdout.flush()
        while True:
            signal.pause()
