"""What journaling costs an event, and how fast a journal is verified, beside writing the same lines without a chain."""

from __future__ import annotations

import json
import shutil
import statistics
import time
from pathlib import Path

from fixture import RUNTIME, SCRATCH, ema_spec
from measure import report
from tc.durable import Journal, verify_journal
from tc.engine.backtest import Controls, run_backtest
from tc.runs.inputs import load_inputs
from tc.store.roots import Roots

BARS = 20_000
ROUNDS = 5
ENTRIES = 100_000
MICROSECONDS_MAX = 20


class Nothing:
    """A sink that drops what it is given."""

    def add(self, _type: str, _ts: int, _data: bytes) -> int:
        """Drop."""
        return 0


def measure() -> None:
    """Print microseconds an event and the verification rate."""
    folder = SCRATCH / "journal"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    spec = ema_spec(BARS, 10, 20)
    _run(spec, folder, None)  # warm
    costs, events = [], 0
    for number in range(ROUNDS):
        with Journal.create(folder / f"{number}.jsonl") as journal:
            with_journal = _run(spec, folder, journal)
            events = journal.head.seq
        without = _run(spec, folder, None, attach=False)
        costs.append((with_journal - without) / events * 1e6)
    cost = statistics.median(costs)
    report(
        "journaling one engine event",
        f"{cost:.1f} microseconds ({events:,} events a run)",
        f"<= {MICROSECONDS_MAX}",
        holds=cost <= MICROSECONDS_MAX,
    )
    _appending(folder)


def _run(spec: Path, folder: Path, journal: Journal | None, *, attach: bool = True) -> float:
    """Return CPU seconds of one backtest; without `attach` the engine is not tapped at all."""
    from tc.engine import recorder

    inputs = load_inputs(spec, Roots.of(folder, RUNTIME))
    original = recorder.Recorder.attach
    if not attach:
        recorder.Recorder.attach = lambda *_arguments: None  # type: ignore[method-assign]
    try:
        started = time.process_time()
        run_backtest(
            inputs.spec, [feed.for_engine() for feed in inputs.feeds], inputs.strategies, journal or Nothing(), folder,
            Controls(lambda _progress: None, lambda: False),
        )  # fmt: skip
        if journal is not None:
            journal.flush()
        return time.process_time() - started
    finally:
        recorder.Recorder.attach = original  # type: ignore[method-assign]


def _appending(folder: Path) -> None:
    data = json.dumps({"client_order_id": "O-1", "text": "x" * 300}).encode()
    ratios, mine = [], 0.0
    for number in range(ROUNDS):
        started = time.process_time()
        with Journal.create(folder / f"append-{number}.jsonl") as journal:
            for seq in range(ENTRIES):
                journal.add("OrderFilled", seq, data)
        mine = time.process_time() - started
        started = time.process_time()
        with open(folder / f"plain-{number}.jsonl", "wb", buffering=1 << 18) as plain:
            for seq in range(ENTRIES):
                plain.write(b'{"seq":%d,"ts":%d,"type":"OrderFilled","data":%s}\n' % (seq, seq, data))
        ratios.append(mine / (time.process_time() - started))
    started = time.process_time()
    check = verify_journal(folder / "append-0.jsonl")
    assert check.entries == ENTRIES
    verified = time.process_time() - started
    report(
        "100,000 entries appended with hash chain",
        f"{mine:.2f} s CPU, {statistics.median(ratios):.1f}x plain lines",
        "",
        holds=True,
    )
    report("100,000 entries verified", f"{verified:.2f} s CPU", "< 1.5 s", holds=verified < 1.5)
