"""Facts for report tests: a hand-made journal of alternating trades, folded and gathered as a run's would be."""

from __future__ import annotations

import json
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import numpy as np

from support.market import PROJECT
from tc.data.bar_table import BarTable
from tc.durable import Entry
from tc.evidence.facts import ReportFacts, gather
from tc.evidence.fold import fold_journal
from tc.evidence.reconcile import reconcile
from tc.model.reading import read_run_spec
from tc.model.run_spec import RunSpec

INSTRUMENT_ID = "BTCUSDT-PERP.BINANCE"
BAR_TYPE = f"{INSTRUMENT_ID}-1-MINUTE-LAST-EXTERNAL"
START_NS = 1_640_995_200_000_000_000  # 2022-01-01T00:00:00Z
MINUTE_NS = 60_000_000_000
SPEC_FILE = PROJECT / "runspecs" / "btc-ema-cross.yaml"
DIGEST = f"sha256:{'5' * 64}"

type Body = dict[str, Any]


def report_facts(
    *,
    bars: int = 600,
    trades: int = 30,
    step: int = 7,
    events: list[tuple[str, Body]] | None = None,
    strategy: str = "cross",
    spec: RunSpec | None = None,
    **metadata: Any,
) -> ReportFacts:
    """Return the facts of a run that bought and sold 0.1 BTC in turn, every `step` bars, `trades` times."""
    table = report_bars(bars)
    entries = list(_entries(table, trades, step, strategy, events or []))
    fold = fold_journal(entries)
    body = {**report_metadata(bars), **metadata}
    tables = {INSTRUMENT_ID: table} if bars else {}
    return gather(body, spec or report_spec(), fold, reconcile(fold, fold.engine_state), tables)


def report_spec(**changes: str) -> RunSpec:
    """Return the spec, with pieces of its text replaced; underscores in names are spaces in the text."""
    text = SPEC_FILE.read_text()
    for before, after in changes.items():
        found = before.replace("_", " ")
        assert found in text, found
        text = text.replace(found, after)
    return read_run_spec(text.encode(), "report.yaml")


def died_before_the_venue(**metadata: Any) -> ReportFacts:
    """Return the facts of a run that left one entry: no venue, no bars, no spec."""
    fold = fold_journal([_entry(1, START_NS, "RunStarted", {"run_id": "r"})])
    return gather({**report_metadata(0), **metadata}, None, fold, reconcile(fold, None), {})


def report_bars(count: int, seed: int = 3) -> BarTable:
    """Return seeded minutes around 40,000."""
    random = np.random.default_rng(seed)
    close = (40_000 * np.exp(np.cumsum(random.normal(0, 8e-4, count)))).round(1)
    open_ = np.r_[close[:1], close[:-1]]
    high, low = (np.maximum(open_, close) * 1.0001).round(1), (np.minimum(open_, close) * 0.9999).round(1)
    stamps = START_NS + MINUTE_NS * np.arange(1, count + 1)
    return BarTable.of(stamps, open_, high, low, close, np.full(count, 100.0))


def report_metadata(bars: int) -> dict[str, Any]:
    """Return metadata as a completed run has it."""
    return {
        "run_id": "20260101T000000Z-lab-5a5a5a5a",
        "name": "lab",
        "mode": "backtest",
        "status": "completed",
        "reason": f"all {bars:,} bars were delivered",
        "exit_code": 0,
        "description": "A lab run.",
        "labels": {"desk": "alpha"},
        "operator": "ada",
        "host": "lab",
        "seed": 7,
        "created": "2026-01-01T00:00:00.000000001Z",
        "started": "2026-01-01T00:00:01.000000001Z",
        "ended": "2026-01-01T00:00:02.000000001Z",
        "spec": {"path": "lab.yaml", "digest": DIGEST},
        "data": [
            {"dataset": "lab", "fingerprint": DIGEST, "bar_type": BAR_TYPE, "volume": "base", "synthetic": False,
             "rows": bars, "ts_first": START_NS, "ts_last": START_NS + bars * MINUTE_NS, "gaps": 0}
        ],
        "strategies": [{"id": "cross", "strategy_id": "Cross-001", "source": "lab:Cross", "digest": DIGEST}],
        "code": {"version": "0.1.0", "digest": DIGEST},
        "wheels": {"nautilus-trader": "1.231.0 sha256:5"},
        "interpreter": {"python": "3.12.1", "platform": "Linux x86_64"},
        "bars": bars,
        "bars_total": bars,
        "result_digest": DIGEST,
    }  # fmt: skip


class PageReader(HTMLParser):
    """Reads a page back: its elements with their attributes, and the text outside styles and scripts."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._inside = ""
        self.feed(page.decode())
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep an element."""
        self.elements.append((tag, dict(attrs)))
        self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        """Leave an element."""
        self._inside = ""

    def handle_data(self, data: str) -> None:
        """Keep what a reader sees."""
        if self._inside not in ("script", "style"):
            self.text += data

    def count(self, tag: str) -> int:
        """Return how many elements of a kind there are."""
        return sum(1 for name, _ in self.elements if name == tag)


def _entries(table: BarTable, trades: int, step: int, strategy: str, events: list[tuple[str, Body]]) -> Iterator[Entry]:
    opening: list[tuple[str, Body]] = [
        ("VenueConfigured", {
            "venue": "BINANCE", "account_type": "MARGIN", "oms_type": "NETTING", "base_currency": None,
            "starting_balances": ["1000000 USDT"], "leverage": "10", "fees": "maker_taker", "fill_model": "default",
            "latency_ns": {"base": 0, "insert": 0, "update": 0, "cancel": 0},
            "currencies": {"BTC": 8, "USDT": 8},
        }),
        ("InstrumentAdded", {
            "instrument_id": INSTRUMENT_ID, "kind": "perpetual", "base_currency": "BTC", "quote_currency": "USDT",
            "settlement_currency": "USDT", "inverse": False, "multiplier": "1", "price_precision": 1,
            "size_precision": 3,
        }),
        ("StrategyLoaded", {"id": strategy, "strategy_id": "Cross-001"}),
    ]  # fmt: skip
    seq = 0
    for kind, body in [*opening, *events]:
        seq += 1
        yield _entry(seq, START_NS, kind, body)
    for number in range(trades):
        index = number * step % len(table)
        ts, price = int(table.ts_event[index]), f"{table.close[index]:.1f}"
        for kind, body in _trade(number, ts, price, "BUY" if number % 2 == 0 else "SELL"):
            seq += 1
            yield _entry(seq, ts, kind, body)


def _trade(number: int, ts: int, price: str, side: str) -> list[tuple[str, Body]]:
    order = {
        "trader_id": "TC-001", "strategy_id": "Cross-001", "instrument_id": INSTRUMENT_ID,
        "client_order_id": f"O-{number}", "order_side": side, "order_type": "MARKET",
    }  # fmt: skip
    commission = f"{float(price) * 0.1 * 0.0004:.8f} USDT"
    return [
        ("OrderInitialized", {
            **order, "quantity": "0.100", "ts_init": ts, "tags": None, "reduce_only": False, "parent_order_id": None,
        }),
        ("OrderSubmitted", order),
        ("OrderFilled", {
            **order, "ts_event": ts, "position_id": "P-1", "last_qty": "0.100", "last_px": price,
            "commission": commission, "liquidity_side": "TAKER", "trade_id": f"T-{number}",
        }),
    ]  # fmt: skip


def _entry(seq: int, ts: int, kind: str, body: Body) -> Entry:
    return Entry(seq, ts, kind, json.dumps(body).encode(), "0" * 64, 0)
