"""What a durable commit to the ledger costs, beside a JSON file rewritten whole, at 100 to 100,000 positions."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from fixture import SCRATCH
from measure import PYTHON, ROOT, report
from rewritten_ledger import RewrittenLedger
from tc.store.ledger import PositionLedger
from tc.store.ledger_directory import LedgerDirectory
from tc.store.ledger_reading import read_state

ROUNDS = 9
# Positions: commits a round of ours, of the rewritten file, and the least ratio of the two rates.
SIZES = {100: (60, 60, 0.4), 20_000: (60, 6, 15), 100_000: (60, 2, 150)}
UNSYNCED_COMMITS = 1000
ENTRIES = 100_000
READING_S_MAX = 1.5
WRITERS = 8
WRITERS_S = 4.0

Commit = Callable[[int], None]


def measure() -> None:
    """Print every promised ratio."""
    folder = SCRATCH / "ledger"
    shutil.rmtree(folder, ignore_errors=True)
    ledgers = {count: _filled(folder / f"ours-{count}", count) for count in SIZES}
    rates = _beside_rewriting(folder, ledgers)
    spread = max(rates.values()) / min(rates.values())
    report(
        "commits, durable, 100 to 100,000 positions",
        ", ".join(f"{rate:,.0f}/s" for rate in rates.values()),
        "within 2x",
        holds=spread <= 2,
    )
    _unsynced(ledgers)
    for ledger in ledgers.values():
        ledger.disconnect()
    _reading(folder)
    _writers(folder / "writers")
    shutil.rmtree(folder)


def _beside_rewriting(folder: Path, ledgers: dict[int, PositionLedger]) -> dict[int, float]:
    rates = {}
    for count, (ours, theirs, least) in SIZES.items():
        rewritten = RewrittenLedger(folder / f"json-{count}")
        rewritten.fill(count)
        ledger, mine, other = ledgers[count], [], []
        for number in range(ROUNDS):
            mine.append(_rate(_committing(ledger, f"durable-{number}"), ours))
            other.append(_rate(_rewriting(rewritten, number), theirs))
        ratio = statistics.median(a / b for a, b in zip(mine, other, strict=True))
        rates[count] = statistics.median(mine)
        report(
            f"commits at {count:,} positions beside rewritten JSON",
            f"{rates[count]:,.0f}/s against {statistics.median(other):,.1f}/s, {ratio:.2f}x",
            f">= {least}x",
            holds=ratio >= least,
        )
    return rates


def _unsynced(ledgers: dict[int, PositionLedger]) -> None:
    rates: dict[int, list[float]] = {count: [] for count in ledgers}
    with _without_syncs():
        for number in range(ROUNDS):
            for count, ledger in ledgers.items():
                rates[count].append(
                    _rate(_committing(ledger, f"unsynced-{number}"), UNSYNCED_COMMITS, time.process_time)
                )
    medians = [statistics.median(one) for one in rates.values()]
    spread = max(medians) / min(medians) - 1
    report(
        "commits without syncs, 100 to 100,000 positions",
        ", ".join(f"{rate:,.0f}/s" for rate in medians) + f", {spread:.0%} apart",
        "within 20 %",
        holds=spread <= 0.2,
    )


def _reading(folder: Path) -> None:
    directory = LedgerDirectory(folder / "reading", "A")
    with _without_syncs(), PositionLedger.create(directory, "USDT") as ledger:
        commit = _committing(ledger, "entry")
        for number in range(ENTRIES - 1):
            commit(number)
    times = []
    for _ in range(ROUNDS):
        started = time.process_time()
        assert read_state(directory).seq == ENTRIES
        times.append(time.process_time() - started)
    taken = statistics.median(times)
    report(
        "reading and verifying 100,000 entries",
        f"{taken:.2f} s CPU",
        f"< {READING_S_MAX} s",
        holds=taken < READING_S_MAX,
    )


def _writers(folder: Path) -> None:
    PositionLedger.create(LedgerDirectory(folder, "A"), "USDT").disconnect()
    program = str(ROOT / "benchmarks/ledger_writer.py")
    writers = [
        subprocess.Popen(
            [PYTHON, program, str(folder), f"W{number}.X", str(WRITERS_S)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for number in range(WRITERS)
    ]  # fmt: skip
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    answers = [writer.communicate()[0].split() for writer in writers]
    commits = [int(one[0]) for one in answers]
    mean = statistics.mean(commits)
    report(
        f"{WRITERS} writers of one ledger for {WRITERS_S:.0f} s",
        f"{sum(commits) / WRITERS_S:,.0f}/s, {min(commits)}..{max(commits)} each, slowest commit "
        f"{max(float(one[1]) for one in answers):.2f} s",
        "slowest >= half the mean",
        holds=min(commits) >= mean / 2,
    )


def _filled(folder: Path, count: int) -> PositionLedger:
    ledger = PositionLedger.create(LedgerDirectory(folder, "A"), "USDT")
    with _without_syncs():
        for number in range(count):
            ledger.open(f"seed-{number}", f"SEED{number}.X", "S", "BUY", "1", "100", stop="95", target="110",
                        setup="breakout", grade="A")  # fmt: skip
    return ledger


def _committing(ledger: PositionLedger, name: str) -> Commit:
    def commit(number: int) -> None:
        if number % 2 == 0:
            ledger.open(f"{name}-{number}", "BTC.X", "S", "BUY", "1", "100", stop="95", target="110",
                        setup="breakout", grade="A")  # fmt: skip
        else:
            ledger.close(f"{name}-{number}", "BTC.X", "S", "101")

    return commit


def _rewriting(ledger: RewrittenLedger, round_number: int) -> Commit:
    def commit(number: int) -> None:
        instrument_id = f"BTC{round_number}-{number // 2}.X"
        if number % 2 == 0:
            ledger.open(f"{round_number}-{number}", instrument_id)
        else:
            ledger.close(instrument_id)

    return commit


def _rate(commit: Commit, count: int, clock: Callable[[], float] = time.perf_counter) -> float:
    started = clock()
    for number in range(count):
        commit(number)
    return count / (clock() - started)


@contextmanager
def _without_syncs() -> Iterator[None]:
    real = os.fdatasync
    os.fdatasync = lambda _descriptor: None
    try:
        yield
    finally:
        os.fdatasync = real
