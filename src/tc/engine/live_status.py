"""What a running node says of itself once a second: who may trade, what is held, how much of each limit is used.

It is written for `tc status` and is no evidence: a document that is old says so by its time. The task that makes it
runs on the node's own loop, so that a loop that is blocked shows as a document that grows old.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from nautilus_trader.model.data import BarType

from tc.clock import Clock
from tc.engine.gate_setup import GateParts
from tc.engine.live_heard import HeardData
from tc.engine.live_look import Looker
from tc.evidence.fold import Fold
from tc.evidence.gate_record import KILLED, LATCH_CLOSED, MODE_CHANGED, STOOD_DOWN
from tc.evidence.latency import NodeMeasured
from tc.evidence.metrics import run_activity
from tc.evidence.three_way import instrument_of
from tc.model.run_spec import RunSpec
from tc.risk.request_budget import RequestBudget
from tc.risk.usage import usages
from tc.store.run_directory import STATUS_SCHEMA

INTERVAL_S = 1.0
DATA_GRACE_NS = 5_000_000_000
ZERO = Decimal(0)
_TELLING = frozenset({KILLED, STOOD_DOWN, MODE_CHANGED, LATCH_CLOSED})
_REJECTED = "OrderRejected"

type Document = dict[str, Any]


class LiveStatus:
    """Keeps what only the moment tells (who stood whom down, when data came) and makes the document."""

    def __init__(
        self, spec: RunSpec, fold: Fold, clock: Clock, write: Callable[[Document], None], budget: RequestBudget,
        measured: Callable[[], NodeMeasured],
    ) -> None:  # fmt: skip
        self._spec = spec
        self._fold = fold
        self._clock = clock
        self._write = write
        self._budget = budget
        self._measured = measured
        self._told: dict[tuple[str, str, str], tuple[str, int]] = {}
        self._latches: dict[str, tuple[str, int]] = {}
        self._modes: dict[str, tuple[str, int]] = {}
        self._heard = HeardData(spec)
        self._rejected = 0
        self._denied_before: Counter[str] = Counter()
        self._task: asyncio.Task[None] | None = None
        self.phase = "starting"

    def take(self, kind: str, ts: int, data: bytes) -> None:
        """See an entry of the journal: some say who did what, and when."""
        if kind not in _TELLING:
            self._rejected += kind == _REJECTED
            return
        said = json.loads(data)
        if kind == MODE_CHANGED:
            self._modes[said["strategy_id"]] = (said["by"], ts)
        elif kind == LATCH_CLOSED:
            self._latches[said["latch"]] = (said["reason"], ts)
        else:
            key = (said.get("strategy_id") or "", said.get("instrument_id") or "", said["reason"])
            self._told[key] = (said["by"], ts)

    def begin(self, kernel: Any, gate: GateParts, looker: Looker) -> None:
        """Say it once a second from now on."""
        self._gate, self._looker, self._kernel = gate, looker, kernel
        self._denied_before = self._fold.denials
        self._heard.begin(kernel.msgbus)
        self._task = asyncio.create_task(self._run())

    def end(self) -> None:
        """Say it no more."""
        if self._task is not None:
            self._task.cancel()

    def document(self) -> Document:
        """Return what holds now; every amount is text, every time is UNIX ns."""
        now_ns = self._clock.now_ns()
        described: dict[str, Any] = self._gate.standing.describe()
        return {
            "schema": STATUS_SCHEMA,
            "ts": now_ns,
            "phase": self.phase,
            "attempt": self._fold.starts,
            "account": self._causes(described["account"]),
            "instruments": {
                instrument_id: self._causes({"stood_down": reasons}, instrument_id=instrument_id)
                for instrument_id, reasons in described["instruments"].items()
            },
            "strategies": {name: self._strategy(name, one) for name, one in described["strategies"].items()},
            "equity": {currency: self._equity(currency, now_ns) for currency in self._gate.ledgers},
            "limits": [one for currency in self._gate.ledgers for one in self._limits(currency, now_ns)],
            "look": self._look(),
            "orders": self._orders(),
            "positions": self._positions(),
            "requests": self._budget.describe(now_ns // 1_000_000),
            "counts": self._counts(),
            "activity": self._activity(),
            "data": self._heard.newest(self._gate.market.feeds),
            "last_bars": self._heard.last_bars(),
            "data_timeout_ns": self._data_timeout_ns(),
        }

    async def _run(self) -> None:
        while True:
            self._write(self.document())
            await asyncio.sleep(INTERVAL_S)

    def _data_timeout_ns(self) -> int:
        """Return after how long without data a feed counts as stale: what the spec says, else two bars and a little."""
        safety = self._spec.safety
        if safety is not None and safety.stale_data_timeout_s is not None:
            return int(safety.stale_data_timeout_s * 1_000_000_000)
        steps = [
            BarType.from_str(feed.bar_type).spec.timedelta.total_seconds() / float(feed.speed or 1)
            for feed in self._spec.data
        ]
        return DATA_GRACE_NS + int(2e9 * max(steps, default=0.0))

    def _causes(
        self, held: dict[str, list[str]], strategy_id: str = "", instrument_id: str = ""
    ) -> list[dict[str, Any]]:
        found = []
        for state, reasons in held.items():
            for reason in reasons:
                by, since = self._told.get((strategy_id, instrument_id, reason), ("node", None))
                found.append({"state": state, "reason": reason, "by": by, "since": since})
        return found

    def _strategy(self, strategy_id: str, one: dict[str, Any]) -> dict[str, Any]:
        by, since = self._modes.get(strategy_id, ("spec", None))
        return {
            "id": one["id"],
            "mode": {"state": one["mode"], "by": by, "since": since},
            "state": one["state"],
            "causes": self._causes({"stood_down": one["stood_down"]}, strategy_id=strategy_id),
        }

    def _equity(self, currency: str, now_ns: int) -> dict[str, Any]:
        book = self._gate.rules.seen(self._gate.ledgers[currency].last_seen(now_ns), now_ns)
        equity = book.equity
        return {
            "realized": f"{equity.realized:f}", "current": f"{equity.current:f}", "peak": f"{equity.peak:f}",
            "day_start": f"{equity.day_start:f}", "week_start": f"{equity.week_start:f}",
            "capital": f"{equity.capital:f}",
            "latches": {
                name: {"since": since, "reason": self._latches.get(name, ("", 0))[0]}
                for name, since in book.latches.items()
            },
        }  # fmt: skip

    def _limits(self, currency: str, now_ns: int) -> list[dict[str, Any]]:
        market = self._gate.market
        book = self._gate.rules.seen(self._gate.ledgers[currency].last_seen(now_ns), now_ns)
        return [
            {
                "limit": each.limit, "currency": currency, "instrument_id": each.instrument_id or None,
                "used": None if each.used is None else f"{round(each.used, 12).normalize():f}",
                "bound": f"{each.bound:f}",
            }
            for each in usages(book, market, self._gate.rules.limits, now_ns)
            if not each.instrument_id or market.feeds[each.instrument_id].currency == currency
        ]  # fmt: skip

    def _look(self) -> dict[str, Any] | None:
        seen = self._looker.seen
        if not seen:
            return None
        return {
            "ts": seen["ts"],
            "is_still": seen["is_still"],
            "wallet": seen["wallet"],
            "differences": [
                f"{each.subject}: venue {each.venue}, engine {each.engine}, journal {each.journal}"
                for each in self._looker.differing
            ],
        }

    def _orders(self) -> list[dict[str, Any]]:
        told = {one["client_order_id"]: one for one in self._looker.seen.get("orders", ())}
        cache = self._kernel.cache
        working = {
            order.client_order_id.value: order
            for order in (*cache.orders_open(), *cache.orders_inflight(), *cache.orders_emulated())
        }
        found = [self._order(name, order, told.get(name)) for name, order in sorted(working.items())]
        found += [
            {
                "client_order_id": name, "strategy_id": None, "instrument_id": self._instrument_of(one["symbol"]),
                "side": one["side"], "type": one["type"], "quantity": one["quantity"], "filled": one["filled"],
                "price": one["price"], "trigger_price": one["trigger_price"], "status": "UNKNOWN_HERE",
                "reduce_only": one["reduce_only"], "ts_init": None, "is_confirmed": False, "venue": _said(one),
            }
            for name, one in told.items() if name not in self._fold.orders
        ]  # fmt: skip
        return found

    def _order(self, name: str, order: Any, told: dict[str, Any] | None) -> dict[str, Any]:
        filled = order.filled_qty.as_decimal()
        return {
            "client_order_id": name, "strategy_id": order.strategy_id.value,
            "instrument_id": order.instrument_id.value, "side": order.side_string(), "type": order.type_string(),
            "quantity": str(order.quantity), "filled": f"{filled:f}",
            "price": str(order.price) if order.has_price else None,
            "trigger_price": str(order.trigger_price) if order.has_trigger_price else None,
            "status": order.status_string(), "reduce_only": order.is_reduce_only, "ts_init": order.ts_init,
            "is_confirmed": told is not None and Decimal(told["filled"]) == filled,
            "venue": None if told is None else _said(told),
        }  # fmt: skip

    def _positions(self) -> list[dict[str, Any]]:
        there = {
            self._instrument_of(symbol): Decimal(one["quantity"])
            for symbol, one in self._looker.seen.get("positions", {}).items()
        }
        net: dict[str, Decimal] = {}
        for position in self._fold.positions_open:
            instrument_id = position.contract.instrument_id
            net[instrument_id] = net.get(instrument_id, ZERO) + position.quantity
        found = [
            {
                "instrument_id": name, "strategy_id": position.strategy_id, "quantity": f"{position.quantity:f}",
                "price_open": f"{round(position.price_open, 12).normalize():f}", "mark": self._mark(name),
                "venue_net": f"{there.get(name, ZERO):f}", "is_confirmed": there.get(name, ZERO) == net[name],
            }
            for position in self._fold.positions_open if (name := position.contract.instrument_id)
        ]  # fmt: skip
        found += [
            {
                "instrument_id": name, "strategy_id": None, "quantity": "0", "price_open": None,
                "mark": self._mark(name), "venue_net": f"{quantity:f}", "is_confirmed": False,
            }
            for name, quantity in there.items() if quantity and name not in net
        ]  # fmt: skip
        return found

    def _mark(self, instrument_id: str) -> str | None:
        quote = self._gate.market.get(instrument_id)
        return None if quote is None or quote.reference is None else f"{quote.reference:f}"

    def _instrument_of(self, symbol: str) -> str:
        return instrument_of(symbol, self._spec.venue.id)

    def _activity(self) -> dict[str, Any]:
        return {**run_activity(self._fold, self._measured()), "intents_denied": dict(sorted(self._denied().items()))}

    def _denied(self) -> Counter[str]:
        return self._denied_before + Counter(self._gate.denier.counts)  # the journal has repeats as counts, and later

    def _counts(self) -> dict[str, int]:
        return {
            "orders": self._fold.orders_total,
            "fills": len(self._fold.fills),
            "rejected": self._rejected,
            "denied": self._denied().total(),
        }


def _said(one: dict[str, Any]) -> dict[str, Any]:
    return {name: one[name] for name in ("status", "quantity", "filled", "price", "trigger_price")}
