"""Send twice what the operator's own runs ever sent, then more, until the system does not keep up; say where that was.

Inspired by RTS 6 article 10: the highest rates of the last six months, doubled, and never against production: a venue
of its own, on this machine, without rate limits, so that what saturates is ours.
"""

from __future__ import annotations

import json
import secrets
import statistics
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

from tc.clock import SYSTEM_CLOCK, Clock, iso_utc, parse_utc_ns
from tc.data.dataset_info import Source
from tc.data.dataset_store import DatasetStore
from tc.data.generation import GenerationOptions, generate
from tc.durable import make_directory, read_entries, unprotect_tree, write_artifact
from tc.errors import ChildFailed, InputError
from tc.evidence.load import Load, measure_load
from tc.store.roots import Roots
from tc.store.run_directory import JOURNAL, RunDirectory, encode_document
from tc.store.run_store import RunStore
from tc.supervise.child import Child
from tc.supervise.process import run_tc

SCHEMA = "tc.stress/v1"
HALF_A_YEAR_NS = 183 * 86_400_000_000_000
TIMES = 2
KEPT_UP = 0.95
ACCEPTED_P99_MS_MAX = 1_000.0
_SYMBOL, _DATASET, _ACCOUNT = "BTCUSDT", "stress", "stress"
_READY_S = 20.0
Say = Callable[[str], None]


@dataclass(frozen=True)
class Highest:
    """The highest rates in the operator's journals, one a second, and the runs that had them."""

    orders_per_s: int
    orders_run: str
    messages_per_s: int
    messages_run: str
    runs: int


@dataclass(frozen=True)
class Step:
    """What became of one rate: orders asked for and accepted a second, and how long acceptance took, milliseconds."""

    asked_per_s: float
    accepted_per_s: float
    accepted_p50_ms: float
    accepted_p99_ms: float
    refused: int
    why_not: str

    @property
    def is_kept(self) -> bool:
        """Whether the system kept up."""
        return not self.why_not


def highest_rates(roots: Roots, now_ns: int) -> Highest:
    """Return the highest rates of the paper runs of the last six months; backtests have no wall time, and none."""
    best = {"orders": (0, ""), "messages": (0, "")}
    count = 0
    store = RunStore(roots)
    for summary in store.summaries(store.run_ids()):
        metadata = summary.metadata
        if summary.problem is not None or metadata.get("mode") != "paper" or not summary.is_sealed:
            continue
        if parse_utc_ns(metadata["created"]) < now_ns - HALF_A_YEAR_NS:
            continue
        count += 1
        load = measure_load(read_entries(store.find(summary.run_id).file(JOURNAL)))
        for name, peak in (("orders", load.orders), ("messages", load.messages)):
            best[name] = max(best[name], (peak.count, summary.run_id))
    return Highest(*best["orders"], *best["messages"], count)


def stress(
    roots: Roots, orders_per_s: float | None, seconds: int, steps_max: int, say: Say, clock: Clock = SYSTEM_CLOCK
) -> tuple[dict[str, Any], list[Path]]:
    """Find where the system saturates; return the report and its files below `artifacts/evidence/stress/`.

    `orders_per_s` takes the place of the rate from the journals. Each of at most `steps_max` steps takes `seconds`
    and doubles the rate.

    Raises:
        InputError: there is no paper run to take a rate from.
        ChildFailed: a step's run did not end.
    """
    highest = highest_rates(roots, clock.now_ns())
    rate = orders_per_s or float(TIMES * max(highest.orders_per_s, -(-highest.messages_per_s // 2)))
    if not rate:
        raise InputError("no sealed paper run of the last six months sent an order; give --orders-per-s")
    steps: list[Step] = []
    with tempfile.TemporaryDirectory(prefix="tc-stress-") as scratch, _venue(Path(scratch)) as endpoint:
        while len(steps) < steps_max and (not steps or steps[-1].is_kept):
            asked = rate * 2 ** len(steps)
            say(f"{asked:g} orders a second for {seconds} s")
            steps.append(_step(Path(scratch), endpoint, asked, seconds, len(steps)))
    document = {
        "schema": SCHEMA,
        "ended": iso_utc(clock.now_ns()),
        "highest": asdict(highest),
        "wanted_orders_per_s": rate,
        "is_kept": steps[0].is_kept,
        "saturates_at_orders_per_s": None if steps[-1].is_kept else steps[-1].asked_per_s,
        "steps": [{**asdict(one), "is_kept": one.is_kept} for one in steps],
    }
    return document, _write(roots, document)


def _step(scratch: Path, endpoint: str, asked: float, seconds: int, number: int) -> Step:
    path = scratch / f"step-{number}.yaml"
    write_artifact(path, yaml.safe_dump(_spec(endpoint, asked, seconds), sort_keys=False).encode())
    roots = Roots(scratch / "artifacts", scratch / "runtime")
    run_id = f"step-{number}"
    child = run_tc(
        ["run", str(path), "--run-id", run_id, "--json", "--artifacts-root", str(roots.artifacts),
         "--runtime-root", str(roots.runtime)]
    )  # fmt: skip
    run = RunDirectory(roots, run_id)
    if not run.file(JOURNAL).is_file():
        raise ChildFailed(f"the run at {asked:g} orders a second exited {child.exit_code}:\n{child.stderr}")
    load = measure_load(read_entries(run.file(JOURNAL)))
    if run.is_sealed:
        unprotect_tree(run.path)
    why = "" if child.exit_code == 0 else f"the run exited {child.exit_code}"
    return _judge(asked, load, why)


def _judge(asked: float, load: Load, why: str) -> Step:
    span_s = (load.accepted_ts[-1] - load.accepted_ts[0]) / 1e9 if len(load.accepted_ts) > 1 else 0.0
    rate = (len(load.accepted_ts) - 1) / span_s if span_s else 0.0
    times = sorted(one / 1e6 for one in load.accepted_ns)
    p50 = statistics.median(times) if times else 0.0
    p99 = times[int(len(times) * 0.99)] if times else 0.0
    if not why and rate < KEPT_UP * asked:
        why = f"it accepted {rate:.0f} a second"
    if not why and p99 > ACCEPTED_P99_MS_MAX:
        why = f"one in a hundred took {p99:,.0f} ms"
    if not why and load.refused:
        why = f"{load.refused} were refused"
    return Step(asked, round(rate, 1), round(p50, 2), round(p99, 2), load.refused, why)


@contextmanager
def _venue(scratch: Path) -> Iterator[str]:
    """Serve a market without limits for an account whose key nobody else has."""
    options = GenerationOptions(seed=7, bars=10_000, start_ns=parse_utc_ns("2024-01-01"), step_ns=60 * 1_000_000_000)
    DatasetStore(scratch / "runtime").save(
        _DATASET, generate(options), price_precision=options.price_precision, volume="base", synthetic=True,
        source=Source("generated", None, None, options.as_text()), step_ns=options.step_ns,
    )  # fmt: skip
    key, secret = secrets.token_hex(24), secrets.token_hex(24)
    write_artifact(scratch / "keys", f"key: {key}\nsecret: {secret}\n".encode(), mode=0o600)
    write_artifact(scratch / "venue.key", key.encode(), mode=0o600)
    write_artifact(scratch / "venue.secret", secret.encode(), mode=0o600)
    account = {"name": _ACCOUNT, "key_file": "venue.key", "secret_file": "venue.secret", "deposit": "1000000"}
    write_artifact(scratch / "accounts.yaml", json.dumps({"accounts": [account]}).encode(), mode=0o600)
    child = Child(
        ["venue", "serve", "--symbol", f"{_SYMBOL}={_DATASET}", "--accounts", str(scratch / "accounts.yaml"),
         "--state", str(scratch / "venue"), "--runtime-root", str(scratch / "runtime"), "--speed", "60",
         "--no-limits"]
    )  # fmt: skip
    try:
        yield f"http://127.0.0.1:{child.wait_for('ready', _READY_S)['port']}"
    finally:
        child.stop(_READY_S)
        child.close()


def _spec(endpoint: str, asked: float, seconds: int) -> dict[str, Any]:
    instrument_id, step = f"{_SYMBOL}-PERP.BINANCE", "0.1"
    bar_type = f"{instrument_id}-1-MINUTE-LAST-EXTERNAL"
    return {
        "schema": "tc.runspec/v1", "name": "stress", "mode": "paper", "seed": 7, "account": _ACCOUNT,
        "duration": f"{seconds}s",
        "venue": {"id": "BINANCE", "account_type": "MARGIN", "oms_type": "NETTING", "leverage": 10,
                  "starting_balances": ["1000000 USDT"], "endpoint": endpoint, "credentials": {"file": "keys"}},
        "instruments": [{"id": instrument_id, "kind": "perpetual", "base_currency": "BTC", "quote_currency": "USDT",
                         "price_increment": Decimal(step).to_eng_string(), "size_increment": "0.001",
                         "min_quantity": "0.001", "max_quantity": "1000", "min_notional": "5 USDT",
                         "margin_init": "0.05", "margin_maint": "0.025", "maker_fee": "0.0002",
                         "taker_fee": "0.0005"}],
        "data": {"dataset": _DATASET, "bar_type": bar_type, "volume": "base"},
        "strategies": [{"id": "metronome", "source": "tc.engine.strategies.metronome:Metronome",
                        "config": {"instrument_id": instrument_id, "bar_type": bar_type, "trade_size": "0.001",
                                   "orders_per_s": asked}}],
        "risk": {"order_value": "100000 USDT", "order_quantity": 10, "position_value": "100000000 USDT",
                 "message_rate": "100000/s", "total_drawdown": 0.9, "duplicate_order": "100000/s",
                 "repeated_execution": "100000/s", "consecutive_losses": 1000000, "group_risk": 1},
        "safety": {"on_stop": "cancel", "on_fault": "cancel", "max_restarts": 0},
    }  # fmt: skip


def _write(roots: Roots, document: dict[str, Any]) -> list[Path]:
    folder = roots.evidence / "stress"
    make_directory(folder)
    stem = document["ended"][:19].replace(":", "").replace("-", "") + "Z"
    contents = {f"{stem}.json": encode_document(document), f"{stem}.md": stress_page(document).encode()}
    for name, data in contents.items():
        write_artifact(folder / name, data)
    return [folder / name for name in contents]


def stress_page(document: dict[str, Any]) -> str:
    """Return the report for people, in Markdown."""
    highest = document["highest"]
    at = document["saturates_at_orders_per_s"]
    verdict = "kept up with" if document["is_kept"] else "did not keep up with"
    lines = [
        f"# Stress, {document['ended'][:19]} UTC",
        "",
        f"Highest in {highest['runs']} paper runs of six months: {highest['orders_per_s']} orders in one second "
        f"({highest['orders_run'] or 'none'}), {highest['messages_per_s']} messages in one "
        f"({highest['messages_run'] or 'none'}).",
        f"The system {verdict} {document['wanted_orders_per_s']:g} orders a second, each placed and taken back; "
        + (f"it saturates at {at:g}." if at else "where it saturates was not found."),
        "",
        "| orders a second | accepted a second | p50 ms | p99 ms | |",
        "|---|---|---|---|---|",
        *(
            f"| {one['asked_per_s']:g} | {one['accepted_per_s']:g} | {one['accepted_p50_ms']:g} | "
            f"{one['accepted_p99_ms']:g} | {one['why_not'] or 'kept up'} |"
            for one in document["steps"]
        ),
        "",
        "Accepted is from the strategy's submit in the journal to the venue's acceptance in it. The venue is on this "
        "machine, beside the node, without rate limits; a real venue's limits are lower.",
        "",
    ]
    return "\n".join(lines)
