"""Holds a run's lock as its node does. Asked to reconcile (SIGUSR1), it ends, or writes the ANSWER that was given.

Usage: asked_node.py LOCK METADATA [LOOK]
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

from tc.durable import FileLock, write_artifact


def on_asked(_number: int, _frame: object) -> None:
    """Do what the arguments say."""
    if len(sys.argv) == 3:
        os._exit(6)
    document = {"ts": time.time_ns(), "moment": "on_demand", "verdict": "matched", "checks": []}
    write_artifact(Path(sys.argv[3]), json.dumps(document).encode())


signal.signal(signal.SIGUSR1, on_asked)
with FileLock(Path(sys.argv[1]), purpose="a node", timeout_s=60):
    metadata = Path(sys.argv[2])
    write_artifact(metadata, json.dumps(json.loads(metadata.read_bytes()) | {"pid": os.getpid()}).encode())
    print("ready", flush=True)
    while sys.stdin.readline():
        pass
