"""Real engine runs for the fold: scenarios of account, instruments, fees and orders, and what the journal had."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from tc.data.bar_table import BarTable
from tc.durable import Entry
from tc.engine.backtest import BacktestOutcome, Controls, run_backtest
from tc.engine.bars import BarFeed
from tc.engine.strategy_source import load_strategy
from tc.evidence.fold import Fold, fold_journal
from tc.model.reading import read_run_spec

START_NS = 1_640_995_200_000_000_000
MINUTE_NS = 60_000_000_000
UNLIMITED = ("order_value", "order_quantity", "position_value", "message_rate", "total_drawdown")
RATES = {"maker_fee": "0.0002", "taker_fee": "0.0004"}
MARGINS = {"margin_init": "0.05", "margin_maint": "0.025"}
LINEAR = {
    "id": "BTCUSDT-PERP.SIM", "kind": "perpetual", "base_currency": "BTC", "quote_currency": "USDT",
    "price_increment": "0.1", "size_increment": "0.001", "max_quantity": "100", **RATES, **MARGINS,
}  # fmt: skip
INVERSE = {
    "id": "BTCUSD-PERP.SIM", "kind": "perpetual", "base_currency": "BTC", "quote_currency": "USD", "inverse": True,
    "price_increment": "0.1", "size_increment": "1", "max_quantity": "100000", **RATES, **MARGINS,
}  # fmt: skip
CONTRACT = {**LINEAR, "id": "BTCUSDT-100.SIM", "size_increment": "1", "multiplier": "0.07"}
SPOT = {
    "id": "BTCUSDT.SIM", "kind": "currency_pair", "base_currency": "BTC", "quote_currency": "USDT",
    "price_increment": "0.1", "size_increment": "0.001", "max_quantity": "100", **RATES, **MARGINS,
}  # fmt: skip
FOREX = {
    "id": "EURUSD.SIM", "kind": "currency_pair", "base_currency": "EUR", "quote_currency": "USD",
    "price_increment": "0.00001", "size_increment": "1", "max_quantity": "100000", **RATES, **MARGINS,
}  # fmt: skip
LEVEL = {"BTC": 40_000.0, "EUR": 1.1}
MENU = ["buy", "sell", "close", "reduce", "limit", "stop", "stop_limit", "bracket", "modify", "cancel"]
LIFE = ["far", "expire", "reject", "deny", "immediate", "emulate", "repeat"]


@dataclass(frozen=True)
class Scenario:
    """One run: what differs from a NETTING margin account in USDT that trades the linear contract."""

    instruments: tuple[dict[str, Any], ...] = (LINEAR,)
    balances: tuple[str, ...] = ("1000000 USDT",)
    account_type: str = "MARGIN"
    oms_type: str = "NETTING"
    lots: tuple[str, ...] = ("0.010",)
    actions: tuple[str, ...] = (*MENU, *LIFE)
    venue: dict[str, Any] = field(default_factory=dict)
    desk: dict[str, Any] = field(default_factory=dict)
    traders: int = 1
    bars: int = 600
    volume: float = 100.0
    journal: str = "full"
    seed: int = 1


@dataclass(frozen=True)
class FoldRun:
    """What came out of a scenario."""

    scenario: Scenario
    outcome: BacktestOutcome
    entries: list[Entry]
    tables: dict[str, BarTable]

    def fold(self) -> Fold:
        """Return the entries folded."""
        return fold_journal(self.entries)


class EntrySink:
    """Keeps entries as a journal would hand them back."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def add(self, entry_type: str, ts: int, data: bytes) -> int:
        """Keep one entry."""
        self.entries.append(entry_of(len(self.entries) + 1, ts, entry_type, data))
        return len(self.entries)


def entry_of(seq: int, ts: int, entry_type: str, data: bytes | dict[str, Any]) -> Entry:
    """Return an entry as reading a journal yields it."""
    encoded = data if isinstance(data, bytes) else json.dumps(data).encode()
    return Entry(seq, ts, entry_type, encoded, "0" * 64, 0)


def changed(entry: Entry, **values: Any) -> Entry:
    """Return an entry with other values in its data."""
    return entry._replace(data=json.dumps({**json.loads(entry.data), **values}).encode())


def run_scenario(scenario: Scenario, folder: Path) -> FoldRun:
    """Run a scenario in the real engine."""
    spec = read_run_spec(yaml.safe_dump(_document(scenario)).encode(), "lab.yaml")
    tables = {
        instrument["id"]: _bars(scenario, instrument, number) for number, instrument in enumerate(scenario.instruments)
    }
    feeds = [BarFeed(feed, tables[feed.instrument_id], tables[feed.instrument_id].volume.copy()) for feed in spec.data]
    strategies = [load_strategy(one, folder, number) for number, one in enumerate(spec.strategies, start=1)]
    sink = EntrySink()
    outcome = run_backtest(spec, feeds, strategies, sink, folder, Controls(lambda _progress: None, lambda: False))
    return FoldRun(scenario, outcome, sink.entries, tables)


def _document(scenario: Scenario) -> dict[str, Any]:
    names = [instrument["id"] for instrument in scenario.instruments]
    bar_types = {name: f"{name}-1-MINUTE-LAST-EXTERNAL" for name in names}
    strategies = [
        {
            "id": f"desk-{number}-{trader}",
            "source": "support.strategies.desk:Desk",
            "config": {
                "instrument_id": name,
                "bar_type": bar_types[name],
                "lot": scenario.lots[number],
                "actions": list(scenario.actions),
                "seed": scenario.seed * 100 + number * 10 + trader,
                **scenario.desk,
            },
        }
        for number, name in enumerate(names)
        for trader in range(scenario.traders)
    ]
    venue = {
        "id": "SIM",
        "account_type": scenario.account_type,
        "oms_type": scenario.oms_type,
        "starting_balances": list(scenario.balances),
        **({"leverage": "10"} if scenario.account_type == "MARGIN" else {}),
        **scenario.venue,
    }
    return {
        "schema": "tc.runspec/v1",
        "name": "lab",
        "mode": "backtest",
        "seed": 7,
        "venue": venue,
        "instruments": [dict(instrument) for instrument in scenario.instruments],
        "data": [{"dataset": "lab", "bar_type": kind, "volume": "base"} for kind in bar_types.values()],
        "strategies": strategies,
        "risk": dict.fromkeys(UNLIMITED, "unlimited"),
        "observability": {"log_level": "OFF", "journal": scenario.journal},
    }


def _bars(scenario: Scenario, instrument: dict[str, Any], number: int) -> BarTable:
    random = np.random.default_rng(scenario.seed * 10 + number)
    decimals = len(instrument["price_increment"].partition(".")[2])
    level = LEVEL[instrument["base_currency"]]
    close = (level * np.exp(np.cumsum(random.normal(0, 8e-4, scenario.bars)))).round(decimals)
    open_ = np.r_[close[0], close[:-1]]
    high = (np.maximum(open_, close) * 1.0003).round(decimals)
    low = (np.minimum(open_, close) * 0.9997).round(decimals)
    stamps = START_NS + MINUTE_NS * np.arange(1, scenario.bars + 1)
    return BarTable.of(stamps, open_, high, low, close, np.full(scenario.bars, scenario.volume))


class JournalLab:
    """Writes the entries of a made-up run: a venue, instruments, and orders that fill at once."""

    def __init__(
        self,
        *balances: str,
        account_type: str = "MARGIN",
        base_currency: str | None = None,
        currencies: dict[str, int] | None = None,
    ) -> None:
        self.entries: list[Entry] = []
        self.count = 0
        self.add(
            "VenueConfigured",
            0,
            account_type=account_type,
            base_currency=base_currency,
            starting_balances=list(balances),
            currencies=currencies or {"USDT": 8, "BTC": 8, "USD": 2, "EUR": 2, "JPY": 0},
        )

    def add(self, entry_type: str, ts: int, **data: Any) -> None:
        """Add any entry."""
        self.entries.append(entry_of(len(self.entries) + 1, ts, entry_type, data))

    def instrument(self, document: dict[str, Any]) -> str:
        """Add one of the instruments above; return its id."""
        inverse = bool(document.get("inverse"))
        self.add(
            "InstrumentAdded",
            0,
            instrument_id=document["id"],
            kind=document["kind"],
            base_currency=document["base_currency"],
            quote_currency=document["quote_currency"],
            settlement_currency=document["base_currency" if inverse else "quote_currency"],
            inverse=inverse,
            multiplier=document.get("multiplier", "1"),
            price_precision=len(document["price_increment"].partition(".")[2]),
            size_precision=len(document["size_increment"].partition(".")[2]),
        )
        return str(document["id"])

    def fill(
        self,
        instrument_id: str,
        quantity: str,
        price: str,
        *,
        ts: int,
        commission: str = "0 USDT",
        position_id: str | None = None,
        strategy_id: str = "Desk-001",
        tags: list[str] | None = None,
    ) -> str:
        """Add an order and its one fill; a negative quantity sells. Return the order's id."""
        self.count += 1
        name = f"O-{self.count}"
        common = {
            "client_order_id": name,
            "instrument_id": instrument_id,
            "strategy_id": strategy_id,
            "trader_id": "TC-001",
            "order_side": "SELL" if quantity.startswith("-") else "BUY",
        }
        size = quantity.lstrip("-")
        self.add("OrderInitialized", ts, **common, order_type="MARKET", quantity=size, ts_init=ts, tags=tags,
                 reduce_only=False, parent_order_id=None)  # fmt: skip
        self.add("SubmitOrder", ts, **common)
        self.add("OrderSubmitted", ts, **common)
        self.add("OrderFilled", ts, **common, ts_event=ts, last_qty=size, last_px=price, commission=commission,
                 position_id=position_id or f"{instrument_id}-{strategy_id}", liquidity_side="TAKER",
                 trade_id=f"T-{self.count}")  # fmt: skip
        return name

    def fold(self) -> Fold:
        """Return the entries folded."""
        return fold_journal(self.entries)


def state_of(fold: Fold) -> dict[str, Any]:
    """Return the final state that an engine which agrees with the fold would record."""
    return {
        "balances": [
            {"currency": currency, "total": str(total), "locked": "0", "free": str(total)}
            for currency, total in sorted(fold.balances.items())
        ],
        "positions": [
            {
                "position_id": position.position_id,
                "instrument_id": position.contract.instrument_id,
                "strategy_id": position.strategy_id,
                "side": "LONG" if position.quantity > 0 else "SHORT",
                "signed_qty": str(position.quantity),
                "quantity": str(abs(position.quantity)),
                "avg_px_open": repr(position.average_open),
                "realized_pnl": str(position.realized_pnl),
                "currency": position.contract.settlement_currency,
                "ts_opened": position.ts_opened,
            }
            for position in fold.positions_open
        ],
        "positions_closed": len(fold.round_trips),
        "orders": {"total": len(fold.orders), "by_status": fold.order_counts(), "open": []},
        "ledger": {"compared": len(fold.fills), "breaks": 0},
    }
