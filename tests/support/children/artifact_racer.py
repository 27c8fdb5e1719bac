"""Writes versions of one artifact beside others: `artifact_racer.py HOW PATH TIMES NAME`."""

from __future__ import annotations

import sys
from pathlib import Path

from tc.durable import write_artifact


def overwrite(path: Path, data: bytes) -> None:
    """The naive way: write in place."""
    with open(path, "wb", buffering=0) as file:
        for start in range(0, len(data), 4096):
            file.write(data[start : start + 4096])


def main() -> None:
    how, path, times, name = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(times):
        version = f"{name}-{number};".encode() * 5000
        (write_artifact if how == "write" else overwrite)(path, version)
    print("done", flush=True)


main()
