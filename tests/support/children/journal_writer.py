"""Appends to a journal until killed: `journal_writer.py HOW PATH NAME`.

Says each id before it tries ("? id") and after it was acknowledged ("! id"). HOW is `shared`, `alone`, or
`naive`: lines appended to a file without a sync.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tc.durable import FileLock, Journal


def main() -> None:
    how, path, name = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    if how == "naive":
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    elif how == "shared":
        lock = FileLock(path.with_suffix(".lock"), purpose="write", timeout_s=50)
        journal = Journal.open(path, lock=lock)
    else:
        journal = Journal.open(path)
    print("ready", flush=True)
    sys.stdin.readline()
    number = 0
    while True:
        number += 1
        command_id = f"{name}-{number}"
        os.write(1, f"? {command_id}\n".encode())
        if how == "naive":
            os.write(descriptor, f'{{"command_id":"{command_id}","text":"{"x" * (number % 900)}"}}\n'.encode())
        else:
            journal.append("Event", number, {"command_id": command_id, "text": "x" * (number % 900)})
        os.write(1, f"! {command_id}\n".encode())


main()
