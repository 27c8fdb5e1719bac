"""The node's side of a paper run: read the order, open or create the run, drive the node, seal.

It talks to its supervisor in JSON lines, and hears from it on its standard input: why the run must end, where it must,
and that the venue has no more data to play. The end of that says that the supervisor is gone.
"""

from __future__ import annotations

import faulthandler
import json
import os
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tc.clock import SYSTEM_CLOCK, Clock, iso_utc, parse_utc_ns
from tc.durable import (
    BeatFile,
    Journal,
    append_stream,
    make_directory,
    read_artifact,
    read_entries,
    tail_entries,
    write_artifact,
)
from tc.engine.gate_rules import GateRules
from tc.engine.live import run_live
from tc.engine.live_setting import LiveControls, LiveOutcome, LiveSetting
from tc.engine.progress import Progress
from tc.errors import ComponentFault, NotFound, NotStarted, RefusedError, StorageError, TcError
from tc.model.heartbeat import HEARTBEAT, STACK_SIGNAL, STACKS
from tc.model.value import duration_seconds
from tc.risk.request_budget import NODE_SHARES, RequestBudget
from tc.runs.connectivity import PROBE, READINESS, evaluate_readiness, probe_document, readiness_document
from tc.runs.ending import Ending, RunResult, recorded_ending
from tc.runs.inputs import RunInputs, load_inputs
from tc.runs.kill_clear import require_no_latch
from tc.runs.live_writer import LiveWriter
from tc.runs.metadata import attribution, run_metadata, run_started
from tc.runs.paper_feed import awaited_feeds, with_earlier_bars
from tc.runs.paper_order import NodeOrder
from tc.runs.paper_start import await_room, require_flat, require_usable_account
from tc.runs.stop import StopRequest
from tc.store.account_lock import account_key, lock_account
from tc.store.derived_file import derive
from tc.store.ledger import PositionLedger
from tc.store.ledger_directory import LedgerDirectory
from tc.store.ledger_storage import ORDER_PATH_TIMEOUT_S
from tc.store.run_directory import INPUTS, JOURNAL, METRICS, NODE_STATUS, VENUE_ORDERS, encode_document, trace_of
from tc.store.run_store import RunStore, RunWriter
from tc.supervise.lifeline import Lifeline
from tc.venue.client import VenueClient
from tc.venue.snapshot import take_snapshot

CURRENCY = "USDT"
STRATEGY_STATE = "strategies.json"
LOOK = "reconciliation.json"
Say = Callable[[dict[str, Any]], None]


def run_node(line: bytes, lifeline: Lifeline, say: Say, clock: Clock = SYSTEM_CLOCK) -> RunResult | None:
    """Carry out the order in `line`; return the sealed run, None where it must stay open.

    Raises:
        InputError, RefusedError, BusyError: the run cannot start; before a directory exists where it is new.
        NotStarted: it goes on with a run, and the venue did not let it; the run is left as it was.
        StorageError: the disk failed; the run is left to recovery.
    """
    order = NodeOrder.from_line(line)
    inputs = load_inputs(Path(order.spec_path), order.roots, Path(order.base))
    budget = RequestBudget(NODE_SHARES)
    client = VenueClient(order.endpoint, order.keys, clock=clock, budget=budget)
    with _account(order):
        if not order.is_killed:
            require_no_latch(order.roots, order.run_id, order.endpoint.http, order.api_key)
        require_usable_account(client, inputs.spec)
        if order.attempt == 1:
            require_flat(client, order, inputs.spec)
        await_room(budget, say, clock)
        with _opened(order, inputs, clock) as writer:
            node = _Node(order, inputs, client, writer, say, clock, budget)
            threading.Thread(target=node.watch, args=(lifeline,), name="lifeline", daemon=True).start()
            return node.run()


class _Node:
    def __init__(
        self, order: NodeOrder, inputs: RunInputs, client: VenueClient, writer: RunWriter, say: Say, clock: Clock,
        budget: RequestBudget,
    ) -> None:  # fmt: skip
        self._order = order
        self._inputs = inputs
        self._spec = inputs.spec
        self._client = client
        self._writer = writer
        self._say = say
        self._clock = clock
        self._budget = budget
        self._stop = StopRequest()
        self._is_orphan = self._is_running = self._is_played_out = False
        self._fault = ""
        self._earlier: dict[str, Any] = {}
        self._shown_ns = 0
        self._live = LiveWriter(writer.directory.scratch)

    def watch(self, lifeline: Lifeline) -> None:
        """Hear what the supervisor says, and notice when it is gone."""
        while (line := lifeline.next_line()) is not None:
            said = json.loads(line)
            self._fault = str(said.get("fault", self._fault))
            self._is_played_out |= "played_out" in said
        self._is_orphan = True

    def _should_stop(self) -> bool:
        if self._fault:  # one that does not trade yet leaves it to the next, which lets go of what is held
            raise (ComponentFault if self._is_running else NotStarted)(self._fault)
        return self._stop.is_set() and not self._order.is_closing  # that ends by itself, with nobody after it

    def run(self) -> RunResult | None:
        """Run and seal."""
        order, writer = self._order, self._writer
        make_directory(writer.directory.scratch)
        self._beats = BeatFile.create(writer.directory.scratch / HEARTBEAT)
        self._stacks = append_stream(writer.directory.scratch / STACKS)
        faulthandler.register(STACK_SIGNAL, file=self._stacks, all_threads=False)  # those of others change meanwhile
        self._say({"event": "created", "run_id": writer.directory.run_id, "directory": str(writer.directory.path)})
        journal, received = self._journal(), self._inputs_journal()
        last = next(iter(tail_entries(journal.path, 1)), None)
        recorded = recorded_ending(last)
        if recorded is not None:  # only the sealing was interrupted
            received.close()
            self._keep_venue_record()
            return self._seal(journal, recorded)
        self._write_connectivity()
        try:
            outcome = run_live(self._setting(), journal, received, self._controls())
            self._stop.finish()
            self._live.close()
            received.close()
            if order.attempt > 1 and not order.is_confirmed and isinstance(outcome.fault, NotStarted):
                journal.sync()
                raise outcome.fault  # what it holds is as it was, and the next start may do better
            if not outcome.is_confirmed or self._is_kill_open(outcome):
                journal.sync()
                left = f"; it holds {outcome.left.describe()}" if outcome.left else ""
                self._say({"event": "open", "reason": f"{outcome.reason}{left}"})
                return None
            if outcome.left.positions:
                self._say({"event": "left", "what": outcome.left.describe()})
            ending = _ending(outcome, is_interrupt=self._stop.kind == "interrupt", order=order)
            state = {**self._derived_state(), **outcome.state}
            self._keep_venue_record()
            return self._seal(journal, ending, state)
        finally:
            self._stop.release()

    def _is_kill_open(self, outcome: LiveOutcome) -> bool:
        is_killed = self._order.is_killed or outcome.end == "killed"
        return is_killed and bool(outcome.left) and not self._order.is_confirmed

    def _seal(self, journal: Journal, ending: Ending, state: Mapping[str, bytes] = MappingProxyType({})) -> RunResult:
        from tc.runs.seal import seal_run

        return seal_run(self._writer, journal, ending, self._spec, [], self._clock, state)

    def _write_connectivity(self) -> None:
        readiness = evaluate_readiness(self._spec, Path(self._order.base))
        self._writer.write(READINESS, encode_document(readiness_document(readiness, self._clock)))
        section = self._spec.connectivity_readiness
        if section is None or (section.enabled and section.probe):
            self._writer.write(PROBE, encode_document(probe_document(self._order.endpoint, self._clock)))

    def _keep_venue_record(self) -> None:
        from tc.runs.venue_record import venue_record

        if self._order.is_own_venue:
            with suppress(StorageError, NotFound):  # without it a run can be sealed, but not compared
                record = venue_record(self._spec, self._order.roots, self._order.run_id)
                self._writer.write(VENUE_ORDERS, record)

    def _journal(self) -> Journal:
        path = self._writer.directory.file(JOURNAL)
        if path.exists():
            return Journal.open(path)
        journal = Journal.create(path)
        journal.append("RunStarted", self._clock.now_ns(), run_started(self._writer.metadata))
        return journal

    def _inputs_journal(self) -> Journal:
        path = self._writer.directory.file(INPUTS)
        return Journal.open(path) if path.exists() else Journal.create(path)

    def _saved_state(self) -> bytes | None:
        with suppress(NotFound):
            return read_artifact(self._writer.directory.scratch / STRATEGY_STATE)
        return None

    def _setting(self) -> LiveSetting:
        order = self._order
        self._earlier = trace_of(self._writer.directory, NODE_STATUS)
        return LiveSetting(
            spec=self._spec,
            strategies=self._inputs.strategies,
            endpoint=order.endpoint,
            keys=order.keys,
            log_directory=self._writer.directory.scratch,
            attempt=order.attempt,
            since_ns=parse_utc_ns(self._writer.metadata["created"]) // 1_000_000 * 1_000_000,  # the venue's unit
            duration_s=self._time_left_s(),
            bars_total=self._bars_total(),
            is_closing=order.is_closing,
            is_killed=order.is_killed,
            give_up=order.give_up,
            last_bars=self._last_bars(),
            awaited=awaited_feeds(self._spec.data, self._last_bars(), self._earlier, self._clock.now_ns()),
            saved_state=self._saved_state() if order.attempt > 1 else None,
        )

    def _time_left_s(self) -> float | None:
        if self._spec.duration is None:
            return None
        started = self._writer.metadata.get("started")
        passed_ns = 0 if started is None else self._clock.now_ns() - parse_utc_ns(started)
        return max(0.0, duration_seconds(self._spec.duration) - passed_ns / 1e9)

    def _bars_total(self) -> int | None:
        if not self._order.is_own_venue or self._order.attempt > 1:
            return None
        return sum(len(feed.table.ts_event) for feed in self._inputs.feeds)

    def _last_bars(self) -> dict[str, int]:
        if not self._order.is_own_venue:
            return {}
        return {feed.feed.bar_type: int(feed.table.ts_event[-1]) for feed in self._inputs.feeds}

    def _controls(self) -> LiveControls:
        return LiveControls(
            on_progress=self._on_progress,
            on_running=self._on_running,
            should_stop=self._should_stop,
            is_orphan=lambda: self._is_orphan,
            is_played_out=lambda: self._is_played_out,
            take_signals=self._stop.take,
            look=self._look,
            open_ledgers=self._open_ledgers,
            earlier=lambda: read_entries(self._writer.directory.file(JOURNAL)),
            save_state=partial(write_artifact, self._writer.directory.scratch / STRATEGY_STATE),
            on_look=self._on_look,
            on_status=self._on_status,
            on_storage_fault=lambda reason: self._say({"event": "journal_fault", "reason": reason}),
            beat=self._beats.write,
            attribution=attribution(self._writer.metadata),
            budget=self._budget,
            clock=self._clock,
        )

    def _look(self, moment: str, has_income: bool, traded: Collection[str]) -> dict[str, Any]:
        since_ms = parse_utc_ns(self._writer.metadata["created"]) // 1_000_000
        symbols = [instrument.symbol for instrument in self._spec.instruments if instrument.id in traded]
        return {"moment": moment, **take_snapshot(self._client, symbols, since_ms, self._clock, has_income=has_income)}

    def _on_look(self, document: dict[str, Any]) -> None:
        write_artifact(self._writer.directory.scratch / LOOK, encode_document(document))

    def _derived_state(self) -> dict[str, bytes]:
        documents, _ = derive(self._ledger_directory())
        return documents

    def _ledger_directory(self) -> LedgerDirectory:
        order = self._order
        return LedgerDirectory.of(order.roots, order.run_id if order.is_own_venue else str(self._spec.account))

    def _open_ledgers(self, rules: GateRules, wallet: dict[str, str]) -> dict[str, PositionLedger]:
        directory = self._ledger_directory()
        try:
            ledger = PositionLedger.load(directory, rules=rules, timeout_s=ORDER_PATH_TIMEOUT_S, clock=self._clock)
        except NotFound:
            ledger = PositionLedger.create(
                directory, CURRENCY, rules=rules, timeout_s=ORDER_PATH_TIMEOUT_S, clock=self._clock
            )
        if not ledger.capital:  # new, or its making was cut short: nothing can have traded under it
            ledger.deposit("starting-balance", wallet[CURRENCY])
        ledger.defer()  # an order waits for its intent alone: its reservation is synced behind it
        return {CURRENCY: ledger}

    def _on_running(self) -> None:
        self._is_running = True
        threading.Thread(target=_load_what_seals, name="loads what seals", daemon=True).start()
        if self._writer.metadata.get("started") is None:
            self._writer.update(status="running", started=iso_utc(self._clock.now_ns()))
        else:
            self._writer.update(status="running")
        self._say({"event": "running", "run_id": self._order.run_id, "attempt": self._order.attempt})

    def _on_progress(self, progress: Progress) -> None:
        now_ns = self._clock.monotonic_ns()
        if now_ns - self._shown_ns < float(self._spec.observability.metrics_interval_s) * 1e9:
            return
        self._shown_ns = now_ns
        live = {
            "run_id": self._order.run_id,
            "updated": iso_utc(self._clock.now_ns()),
            "bars": progress.bars,
            "bars_total": progress.bars_total or None,
            "ts_event": progress.ts_event,
            "counts": dict(progress.counts),
        }
        self._say({"event": "progress", **live})
        self._live.write(METRICS, live)

    def _on_status(self, document: dict[str, Any]) -> None:
        order = self._order
        named = {
            "run_id": order.run_id,
            "pid": os.getpid(),
            "endpoint": order.endpoint.http,
            "account_key": account_key(order.endpoint.http, order.api_key),
        }
        self._live.write(NODE_STATUS, {**named, **with_earlier_bars(document, self._earlier)})


def _load_what_seals() -> None:
    """Load what no start needs, and not as late as the end: the code on the disk may be another by then."""
    import tc.runs.seal
    import tc.runs.venue_record  # noqa: F401 - loaded is all that it should be


@contextmanager
def _account(order: NodeOrder) -> Iterator[None]:
    directory = order.roots.runs / order.run_id
    lock = lock_account(order.endpoint.http, order.api_key, order.run_id, directory)
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _opened(order: NodeOrder, inputs: RunInputs, clock: Clock) -> Iterator[RunWriter]:
    store = RunStore(order.roots)
    if order.attempt == 1:
        metadata = run_metadata(inputs, order.operator, clock.now_ns(), order.installed)
        writer = store.create(order.run_id, metadata, inputs.spec_bytes, is_exact=True)
    else:
        writer = store.reopen(order.run_id)
        writer.update(pid=os.getpid())
    try:
        yield writer
    finally:
        writer.close()


def _ending(outcome: LiveOutcome, *, is_interrupt: bool, order: NodeOrder) -> Ending:
    def ending(status: str, exit_code: int) -> Ending:
        left = f"; left behind: {outcome.left.describe()}" if outcome.left else ""
        return Ending(status, outcome.reason + left, exit_code, outcome.bars, outcome.bars_total)

    if outcome.end == "refused":
        return ending("safety_blocked", RefusedError.exit_code)
    if outcome.end == "killed":
        return ending("killed", RefusedError.exit_code)
    if outcome.end == "failed":
        fault: TcError | None = outcome.fault
        return ending("failed", 6 if fault is None else fault.exit_code)
    if outcome.end == "stopped":
        return ending("interrupted", 130 if is_interrupt and not order.is_closing else 0)
    return ending("completed", 0)
