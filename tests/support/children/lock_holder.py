"""Holds a lock until told otherwise: `lock_holder.py PATH`; commands come as lines on standard input."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from tc.durable import FileLock


def main() -> None:
    lock = FileLock(Path(sys.argv[1]), purpose="holding for a test", timeout_s=5)
    lock.acquire()
    print("held", os.getpid(), flush=True)
    for line in sys.stdin:
        command = line.strip()
        if command == "fork":
            child = os.fork()
            if child == 0:
                time.sleep(60)
                os._exit(0)
            print(child, flush=True)
        elif command == "spawn":
            child = subprocess.Popen(["sleep", "60"], close_fds=False).pid
            print(child, flush=True)
        elif command == "check":
            lock.check()
            print("ok", flush=True)
        elif command == "release":
            lock.release()
            print("released", flush=True)


main()
