"""Opens and closes positions beside others until it made COMMITS: `ledger_racer.py HOW RUNTIME NAME COMMITS CAP`.

HOW is "locked", or "outside": the naive way, that looks at the book first and commits afterwards. Two detectors run
inside the check: a log of who goes in and out, and a counter. Prints "? id" before a command and "! id seq" after it
was acknowledged, at last its checks.
"""

from __future__ import annotations

import os
import site
import sys
from decimal import Decimal
from pathlib import Path

site.main()  # the children start without packages; the ledger needs one

from tc.risk.book import Book  # noqa: E402
from tc.risk.intent import Intent  # noqa: E402
from tc.store.ledger import PositionLedger  # noqa: E402
from tc.store.ledger_directory import LedgerDirectory  # noqa: E402
from tc.store.ledger_rule import Judgment, OpenPositionCap, Refused, Rules, Unlimited  # noqa: E402

HELD_MAX = 3


class WatchedCap(OpenPositionCap):
    """A cap that notices when it is asked by two processes at once."""

    def watch(self, folder: Path) -> None:
        log = os.open(folder / "inside", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self.__dict__.update(log=log, counter=folder / "counter", checks=0)

    def judge(self, book: Book, intent: Intent) -> Judgment:
        os.write(self.log, f"+ {os.getpid()}\n".encode())
        self.__dict__["checks"] += 1
        self.counter.write_text(str(int(self.counter.read_text() or 0) + 1))
        judgment = super().judge(book, intent)
        os.write(self.log, f"- {os.getpid()}\n".encode())
        return judgment


def open_one(ledger: PositionLedger, how: str, cap: WatchedCap, command_id: str, instrument_id: str, name: str) -> bool:
    """Open a position if the cap allows."""
    print("?", command_id, flush=True)
    if how == "outside":
        intent = Intent(command_id, "submit", instrument_id, name, "BUY", Decimal(1), Decimal(100))
        if cap.judge(ledger.book(), intent).refusal is not None:
            return False
    outcome = ledger.open(command_id, instrument_id, name, "BUY", "1", "100", stop="99")
    if isinstance(outcome, Refused):
        assert outcome.code == "OPEN_POSITIONS", outcome
        return False
    print("!", command_id, outcome.seq, flush=True)
    return True


def main() -> None:
    how, runtime, name = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    commits, cap = int(sys.argv[4]), WatchedCap(int(sys.argv[5]))
    cap.watch(runtime)
    rules: Rules = cap if how == "locked" else Unlimited()
    ledger = PositionLedger.load(LedgerDirectory(runtime / "ledger" / "A", "A"), rules=rules, timeout_s=50)
    print("ready", flush=True)
    sys.stdin.readline()
    done = number = 0
    for instrument_id, strategy_id in ledger.book().rows:
        if strategy_id == name:  # left by one of this name that was killed
            assert not isinstance(
                ledger.close(f"{name}-{os.getpid()}-{instrument_id}", instrument_id, name, "101"), Refused
            )
    held: list[str] = []
    while done < commits or held:
        number += 1
        if len(held) < HELD_MAX and done < commits:
            instrument_id, command_id = f"{name}-{number % (HELD_MAX + 1)}", f"{name}-{os.getpid()}-{number}"
            if instrument_id not in held and open_one(ledger, how, cap, command_id, instrument_id, name):
                held.append(instrument_id)
                done += 1
                continue
        if held:
            instrument_id, command_id = held.pop(0), f"{name}-{os.getpid()}-{number}"
            print("?", command_id, flush=True)
            outcome = ledger.close(command_id, instrument_id, name, "101")
            assert not isinstance(outcome, Refused)
            print("!", command_id, outcome.seq, flush=True)
            done += 1
    ledger.disconnect()
    print("=", cap.checks, flush=True)


main()
