"""What a drill ran on: the machine, the code, the processes and the part of the journal that it saw."""

from __future__ import annotations

import getpass
import hashlib
import os
import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from tc.drills.target import Target
from tc.durable import boot_id, host


def environment() -> dict[str, Any]:
    """Return what ran the drill: system, interpreter, engine, code."""
    import tc

    source = Path(tc.__file__).parent
    code = hashlib.sha256()
    for path in sorted(source.rglob("*.py")):
        code.update(str(path.relative_to(source)).encode() + b"\0" + path.read_bytes())
    return {
        "system": platform.platform(),
        "host": host(),
        "boot_id": boot_id(),
        "cpus": os.cpu_count(),
        "load": [round(each, 2) for each in os.getloadavg()],
        "python": sys.version.split()[0],
        "nautilus_trader": metadata.version("nautilus_trader"),
        "tc": tc.__version__,
        "code_sha256": code.hexdigest(),
        "operator": getpass.getuser(),
        "pid": os.getpid(),
    }


def journal_range(target: Target) -> dict[str, Any]:
    """Return what of the run's journal the drill looked at: the last entry's seq and hash, and how many entries."""
    count, last = 0, None
    for entry in target.entries():
        count, last = count + 1, entry
    if last is None:
        return {"entries": 0}
    return {"entries": count, "from_seq": 1, "to_seq": last.seq, "to_hash": last.hash}


def describe_processes(target: Target) -> list[dict[str, Any]]:
    """Return the run's processes: who they are and the digest of what they execute."""
    found = []
    for one in target.processes():
        executable = one.executable()
        digest = ""
        if executable and Path(executable).is_file():
            with Path(executable).open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
        found.append(
            {"part": one.part, "pid": one.pid, "start_time": one.start_time, "executable": executable,
             "executable_sha256": digest, "command": one.command()}
        )  # fmt: skip
    return found
