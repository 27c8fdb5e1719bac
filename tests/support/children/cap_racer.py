"""Opens positions up to a cap that all processes share: `cap_racer.py HOW PATH CAP TRIES NAME`.

Prints the ids it was granted, each after its entry was acknowledged.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tc.durable import FileLock, Journal, read_entries


def main() -> None:
    how, path, name = sys.argv[1], Path(sys.argv[2]), sys.argv[5]
    cap, tries = int(sys.argv[3]), int(sys.argv[4])
    lock = FileLock(path.with_suffix(".lock"), purpose="open position", timeout_s=50)
    journal = Journal.open(path, lock=lock)
    opened = 0
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(tries):
        command_id = f"{name}-{number}"
        if how == "outside":
            # The naive way: look first, lock afterwards, so that what was seen is old.
            if sum(1 for _ in read_entries(path)) >= cap:
                continue
            journal.append("PositionOpened", number, {"command_id": command_id})
            print(command_id, flush=True)
            continue
        with journal.locked() as news:
            opened += len(news)
            if opened >= cap:
                continue
            journal.append("PositionOpened", number, {"command_id": command_id})
            opened += 1
        print(command_id, flush=True)
    journal.close()


main()
