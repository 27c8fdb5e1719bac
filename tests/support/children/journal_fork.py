"""Forks with a journal open and lets the child append: `journal_fork.py PATH`; exits as the child did."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tc.durable import Journal
from tc.errors import TcBug

REFUSED = 7


def main() -> None:
    journal = Journal.create(Path(sys.argv[1]))
    journal.append("Event", 1, {})
    child = os.fork()
    if child == 0:
        try:
            journal.append("Child", 2, {})
        except TcBug:
            os._exit(REFUSED)
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    journal.append("Parent", 2, {})
    journal.close()
    sys.exit(status)


main()
