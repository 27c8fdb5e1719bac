"""One writer of eight: commits to a shared ledger for some seconds, says how often: ledger_writer.py FOLDER NAME S."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from tc.store.ledger import PositionLedger
from tc.store.ledger_directory import LedgerDirectory

runtime, name, seconds = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])
ledger = PositionLedger.load(LedgerDirectory(runtime, "A"), timeout_s=30)
print("ready", flush=True)
sys.stdin.readline()
commits, slowest_s = 0, 0.0
end = time.perf_counter() + seconds
while (started := time.perf_counter()) < end:
    if commits % 2 == 0:
        ledger.open(f"{name}-{commits}", name, "S", "BUY", "1", "100", stop="95")
    else:
        ledger.close(f"{name}-{commits}", name, "S", "101")
    commits += 1
    slowest_s = max(slowest_s, time.perf_counter() - started)
print(commits, slowest_s, flush=True)
