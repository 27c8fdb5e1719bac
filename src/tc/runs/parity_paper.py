"""The paper side of a comparison: what reached its strategies, what they decided, what can be proved of each order."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from tc.data.bar_table import BarTable
from tc.data.dataset_store import Dataset, DatasetStore
from tc.durable import read_artifact, read_entries
from tc.evidence.parity import FAULT, LATENCY, RESTART, UNEXPLAINED, Proof
from tc.evidence.parity_order import Key, ParityOrder, read_orders, terms_of
from tc.model.run_spec import RunSpec
from tc.runs.inputs import LoadedFeed
from tc.runs.market_path import market_symbol, trades_of
from tc.runs.parity_venue import Refused, VenueModel, VenueReplay, refusal_of
from tc.runs.replay import replay_run
from tc.store.run_directory import INPUTS, JOURNAL, VENUE_ORDERS, RunDirectory
from tc.venue.bar_path import TICKS, PathTrade
from tc.venue.bar_source import BarSource
from tc.venue.exchange.order import OrderRequest
from tc.venue.order_record import decode_record

_ENGINE_DENIES = "Reduce only order would increase position"
_QUANTITY = "ORDER_QUANTITY"
_EARLY_NS = 1_000_000  # the adapter stamps a bar at the end of its last millisecond
_MS_NS = 1_000_000


@dataclass
class Decided:
    """An order as its strategy decided it: the close of its bar, what it asked for, which start of the node it was."""

    bar_ts: int
    terms: tuple[str, ...]
    attempt: int


@dataclass
class PaperSide:
    """What `inputs.jsonl` and the journal say.

    `received` has the closes of the bars that came, by instrument, `submitted_ms` when refused orders were sent,
    `held` what a strategy held, by its own fills, when the engine denied an order, `too_large` quantity and bound of
    orders that the gate denied for it. The last bar and what follows it are left out: the run was ending.
    """

    closes: dict[str, list[int]]
    received: dict[str, list[int]] = field(default_factory=dict)
    decided: dict[str, Decided] = field(default_factory=dict)
    orders: dict[Key, ParityOrder] = field(default_factory=dict)
    submitted_ms: dict[str, tuple[int, int]] = field(default_factory=dict)
    held: dict[str, Decimal] = field(default_factory=dict)
    too_large: dict[str, tuple[Decimal, Decimal]] = field(default_factory=dict)

    @classmethod
    def read(cls, run: RunDirectory, closes: dict[str, list[int]]) -> PaperSide:
        """Return what the run's files say; `closes` has all bars of the data."""
        side = cls(closes)
        side._read_inputs(run)
        side.orders = read_orders(read_entries(run.file(JOURNAL)), side._bar_of)
        side._read_times(run)
        return side

    @property
    def first(self) -> int:
        """The close of the first bar that came."""
        return min(bars[0] for bars in self.received.values())

    @property
    def last(self) -> int:
        """The close of the last one."""
        return max(bars[-1] for bars in self.received.values())

    def covers(self, close_ns: int) -> bool:
        """Return whether orders on that bar are compared."""
        return self.first <= close_ns < self.last

    @property
    def bars(self) -> int:
        """How many bars of the data lie in the time that is compared."""
        return sum(self.covers(close) for closes in self.closes.values() for close in closes) if self.received else 0

    @property
    def bars_max(self) -> int:
        """How many bars a model needs, from the first bar of the data on."""
        return sum(close <= self.last for closes in self.closes.values() for close in closes)

    @property
    def missing(self) -> int:
        """How many bars in that time did not come."""
        return self.bars - sum(self.covers(close) for bars in self.received.values() for close in set(bars))

    def store(self, runtime: Path, source: Path, dataset: str) -> None:
        """Store the bars of a dataset that came, under its own name, below another runtime root."""
        whole = DatasetStore(source).load(dataset)
        came = {close for bars in self.received.values() for close in bars}
        kept = [row for row, ts in enumerate(whole.table.ts_event) if int(ts) in came or int(ts) > self.last]
        table = BarTable.of(*(getattr(whole.table, name)[kept] for name in _COLUMNS))
        info = whole.info
        DatasetStore(runtime).save(
            dataset, table, price_precision=info.price_precision, volume=info.volume,
            volume_constant=info.volume_constant, synthetic=info.synthetic, source=info.source, step_ns=info.step_ns,
        )  # fmt: skip

    def _read_inputs(self, run: RunDirectory) -> None:
        now: dict[str, int] = {}
        attempt, is_over = 0, False
        for entry in read_entries(run.file(INPUTS)):
            if entry.type == "AttemptStarted":
                attempt, is_over = int(entry.payload()["attempt"]), False
            elif entry.type == "StrategyStopped":
                is_over = True
            elif entry.type == "DataReceived" and b'"bar_type":' in entry.data:
                item = json.loads(entry.data)["item"]
                instrument_id = str(item["bar_type"]).rsplit("-", 4)[0]
                close = self._close(instrument_id, int(item["ts_event"]))
                if close is not None and not is_over:
                    now[instrument_id] = close
                    self.received.setdefault(instrument_id, []).append(close)
            elif entry.type == "Decision" and not is_over:
                for order in entry.payload().get("orders", ()):
                    close = now.get(order["instrument_id"])
                    if close is not None:
                        self.decided[order["client_order_id"]] = Decided(close, terms_of(order), attempt)

    def _close(self, instrument_id: str, ts_event: int) -> int | None:
        closes = self.closes.get(instrument_id, [])
        place = bisect_left(closes, ts_event - _EARLY_NS)
        return closes[place] if place < len(closes) else None

    def _bar_of(self, said: dict[str, Any]) -> int | None:
        decided = self.decided.get(said["client_order_id"])
        return decided.bar_ts if decided is not None and self.covers(decided.bar_ts) else None

    def _read_times(self, run: RunDirectory) -> None:
        since: dict[str, int] = {}
        position: dict[tuple[str, str], Decimal] = {}
        for entry in read_entries(run.file(JOURNAL)):
            if entry.type == "OrderFilled":
                said = entry.payload()
                place = (said["strategy_id"], said["instrument_id"])
                sign = 1 if said["order_side"] == "BUY" else -1
                position[place] = position.get(place, Decimal(0)) + sign * Decimal(said["last_qty"])
            elif entry.type == "OrderDenied":
                said = entry.payload()
                held = position.get((said["strategy_id"], said["instrument_id"]), Decimal(0))
                self.held[said["client_order_id"]] = held
            elif entry.type == "IntentDenied" and (said := entry.payload())["code"] == _QUANTITY:
                self.too_large[said["client_order_id"]] = (Decimal(said["used"]), Decimal(said["bound"]))
            elif entry.type == "OrderSubmitted":
                since[entry.payload()["client_order_id"]] = entry.ts // _MS_NS
            elif entry.type == "OrderRejected":
                name = entry.payload()["client_order_id"]
                self.submitted_ms[name] = (since.get(name, 0), entry.ts // _MS_NS + 1)


_COLUMNS = ("ts_event", "open", "high", "low", "close", "volume")


def prover(
    run: RunDirectory, side: PaperSide, spec: RunSpec, feeds: list[LoadedFeed], folder: Path
) -> Callable[[Key], Proof]:
    """Return what tells what can be proved of an order of the paper run, or of a key that it lacks.

    Its decisions are replayed, and its orders given to the venue's exchange once more where they came.
    """
    replayed = replay_run(run, folder)
    difference, lost = replayed.difference, _instruments_of(run, replayed.unrecorded)
    model = _venue_model(run, side, spec, feeds)

    def prove(key: Key) -> Proof:
        order = side.orders.get(key)
        if difference is not None:
            return Proof(UNEXPLAINED, f"the run's decisions do not repeat: {difference}", is_broken=order is not None)
        if order is None and key.instrument_id in lost:
            return Proof(RESTART, "a decision on this instrument died with a node that was killed")
        if order is None:
            return Proof(LATENCY, "the strategy decided otherwise by what had reached it, and does so again")
        return _proof(key, order, side, model)

    return prove


def _instruments_of(run: RunDirectory, names: list[str]) -> set[str]:
    said = (entry.payload() for entry in read_entries(run.file(JOURNAL)) if names and entry.type == "OrderInitialized")
    return {str(body["instrument_id"]) for body in said if body["client_order_id"] in names}


def _venue_model(run: RunDirectory, side: PaperSide, spec: RunSpec, feeds: list[LoadedFeed]) -> VenueModel:
    path = run.file(VENUE_ORDERS)
    setting, recorded = decode_record(path, read_artifact(path))
    trades = {}
    for feed in feeds:
        symbol = market_symbol(spec.instrument(feed.feed.instrument_id))
        trades[symbol.name] = _trades(BarSource(Dataset(feed.info, feed.table), symbol))
    refusals = []
    for key, order in side.orders.items():
        code = refusal_of(order.reason) if order.status == "REJECTED" else None
        if code is not None:
            refusals.append(Refused(_request(key, order, spec), *side.submitted_ms[order.client_order_id], code))
    return VenueReplay(setting, trades, refusals).run(recorded)


def _trades(source: BarSource) -> Iterator[PathTrade]:
    for bar, number, trade in trades_of(source):
        if bar.index == number == 0:  # the venue opens its market at the first bar's open, before anybody trades
            yield PathTrade(bar.open, Decimal(0), is_buyer_maker=False)
        yield trade


def _request(key: Key, order: ParityOrder, spec: RunSpec) -> OrderRequest:
    side, kind, quantity, price, _, tif, reduce_only = order.terms
    return OrderRequest(
        spec.instrument(key.instrument_id).symbol, order.client_order_id, side, kind, Decimal(quantity),
        Decimal(price or 0), tif, reduce_only == "True",
    )  # fmt: skip


def _proof(key: Key, order: ParityOrder, side: PaperSide, model: VenueModel) -> Proof:
    name = order.client_order_id
    decided = side.decided[name]
    if decided.terms != order.terms:
        return Proof(UNEXPLAINED, "the journal and the recorded decision ask for different orders", is_broken=True)
    modelled = model.fills.get(name, [])
    if [*order.fills] != modelled:
        text = ", ".join(f"{fill.quantity:f} at {fill.price:f}" for fill in modelled) or "nothing"
        return Proof(UNEXPLAINED, f"the recorded market gives it {text}", is_broken=True)
    if decided.attempt > 1:
        return Proof(RESTART, f"it was decided after the node's start {decided.attempt}")
    if order.status == "REJECTED":
        if name in model.refused:
            return Proof(LATENCY, f"at the moment it came the venue refuses it: {order.reason}")
        return Proof(FAULT, f"the venue refused it though its books did not ask for that: {order.reason}")
    if order.status == "DENIED":
        return _denial(order, side)
    late = model.arrived.get(name, 0) - _last_trade(key, side)
    return Proof(LATENCY, f"it came {late:,} public trades ({late / TICKS:.2f} bars) after the close of its bar")


def _denial(order: ParityOrder, side: PaperSide) -> Proof:
    """Return why an order was denied, where that follows from itself or from what was held: both come of the fills."""
    held = side.held[order.client_order_id]
    if order.reason.startswith(_ENGINE_DENIES) and order.sign * held >= 0:
        return Proof(LATENCY, f"by then its strategy held {held:f}, so that it reduced nothing")
    asked, bound = side.too_large.get(order.client_order_id, (Decimal(0), Decimal(0)))
    if order.reason.startswith(_QUANTITY) and Decimal(order.terms[2]) == asked > bound:
        return Proof(LATENCY, f"it asked for {asked:f}, which risk.order_quantity of {bound:f} denies at any time")
    return Proof(UNEXPLAINED, f"it was denied: {order.reason}")


def _last_trade(key: Key, side: PaperSide) -> int:
    """Return the number of the public trade that closed the bar; number 1 opened the market."""
    return 1 + TICKS * (bisect_left(side.closes[key.instrument_id], key.bar_ts) + 1)
