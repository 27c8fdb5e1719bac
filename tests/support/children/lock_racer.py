"""Takes a lock again and again beside others, watched by two detectors: `lock_racer.py HOW FOLDER TIMES`.

The occupancy marker fails at once when two are inside; the counter shows updates that were lost.
"""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tc.durable import FileLock


@contextmanager
def nothing(_: Path) -> Iterator[None]:
    """The naive way: no lock."""
    yield


@contextmanager
def unlinking(path: Path) -> Iterator[None]:
    """The half-naive way: flock on a file that is removed on release, which splits the waiters."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def main() -> None:
    how, folder, times = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    lock = FileLock(folder / "lock", purpose="race", timeout_s=50)
    counter, marker = folder / "counter", folder / "marker"
    violations = 0
    print("ready", flush=True)
    sys.stdin.readline()
    for _ in range(times):
        with {"lock": lambda _: lock, "nothing": nothing, "unlinking": unlinking}[how](folder / "lock"):
            try:
                os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                violations += 1
            counter.write_text(str(int(counter.read_text() or 0) + 1))
            marker.unlink(missing_ok=True)
    print(violations, flush=True)


main()
