"""Forks in the middle of a command, holding the ledger; both go on: `ledger_fork.py RUNTIME`; exits as the child."""

from __future__ import annotations

import os
import site
import sys
from pathlib import Path

site.main()  # the children start without packages; the ledger needs one

from tc.errors import TcError  # noqa: E402
from tc.risk.book import Book  # noqa: E402
from tc.risk.intent import Intent  # noqa: E402
from tc.store.ledger import PositionLedger  # noqa: E402
from tc.store.ledger_directory import LedgerDirectory  # noqa: E402
from tc.store.ledger_rule import Judgment, Unlimited  # noqa: E402

REFUSED = 7


class Forking(Unlimited):
    """Forks within its check; the parent goes on when the child has ended."""

    child = 0
    status = -1

    def judge(self, book: Book, intent: Intent) -> Judgment:
        self.child = os.fork()
        if self.child:
            self.status = os.waitstatus_to_exitcode(os.waitpid(self.child, 0)[1])
        return Judgment()


def main() -> None:
    rules = Forking()
    ledger = PositionLedger.load(LedgerDirectory(Path(sys.argv[1]) / "ledger" / "A", "A"), rules=rules)
    name = os.getpid()
    try:
        ledger.open("open", "BTC.X", "S", "BUY", "1", "100")
    except TcError:
        os._exit(REFUSED if os.getpid() != name else 1)
    if os.getpid() != name:
        os._exit(0)
    ledger.close("close", "BTC.X", "S", "101")
    ledger.disconnect()
    sys.exit(rules.status)


main()
