"""Kill a paper run: latch it, let its node end flat, or end its node and make the account flat without it.

The latch comes first, but a kill never waits for a disk: where it cannot be written the kill goes on and says so. The
node is asked; where it has not ended in time it is killed by its pidfd and seen gone, and then the venue is told
directly until it says that nothing of the run is left.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from tc.clock import SYSTEM_CLOCK, Clock, parse_utc_ns
from tc.durable import lock_holder, read_entries
from tc.errors import ComponentFault, InputError, StorageError, TcError
from tc.model.endpoint import ApiKeys, LoopbackEndpoint
from tc.model.run_spec import RunSpec
from tc.risk.kill_machine import PREFIX, Books, Cancel, Close, Flat, WorkingOrder, next_steps
from tc.runs.credentials import resolve_keys
from tc.runs.paper import VENUE
from tc.runs.paper_recovery import trace_of
from tc.runs.paper_venue import OwnVenue
from tc.runs.spec_file import read_spec_file, spec_folder
from tc.store.kill_latch import KillLatch
from tc.store.roots import Roots
from tc.store.run_directory import JOURNAL, RUN_SPEC, RunDirectory
from tc.store.run_store import RunStore
from tc.supervise.process import end_process, signal_process
from tc.venue.client import VenueClient
from tc.venue.loopback import resolve_loopback

KILL_SIGNAL = signal.SIGUSR2
NODE_S = 8.0
"""How long the node may take to end flat before it is killed."""
FLAT_S = 60.0
SETTLED_S = 7.5
"""Past the receive window of any order that left before, and 5 s: what is flat then stays flat."""
POLL_S, AGAIN_S = 0.1, 1.0


@dataclass
class Killed:
    """What a kill did, and what the venue confirmed."""

    run_id: str
    path: str = "node"  # who made it flat: the node, or we without it
    is_latched: bool = True
    canceled: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    foreign: tuple[str, ...] = ()
    is_flat: bool = False
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """Return the facts."""
        return {**vars(self), "foreign": list(self.foreign)}


def kill_run(
    roots: Roots, run_id: str, *, by: str, reason: str, include_foreign: bool = False, clock: Clock = SYSTEM_CLOCK
) -> Killed:
    """Kill a run and return when the venue says that it is flat.

    Raises:
        InputError: it is no paper run, or nobody is named.
        ComponentFault: it is not confirmed; the latch holds, and the kill can be given again.
    """
    return _Kill(RunStore(roots).find(run_id), by, reason, clock, include_foreign=include_foreign).carry_out()


def kill_all(roots: Roots, *, by: str, reason: str, clock: Clock = SYSTEM_CLOCK) -> tuple[list[Killed], list[str]]:
    """Close the latch of everything, then kill every paper run of these roots that is not sealed.

    Return what each came to, and in words each that could not be confirmed.
    """
    problems: list[str] = []
    try:
        KillLatch.of_all().close(by, reason, clock)
    except StorageError as fault:
        problems.append(f"NOT LATCHED: {fault}")
    found: list[Killed] = []
    for summary in RunStore(roots).summaries(RunStore(roots).run_ids()):
        run = RunDirectory(roots, summary.run_id)
        if run.is_sealed or summary.problem is not None or run.metadata()["mode"] != "paper":
            continue
        try:
            found.append(kill_run(roots, summary.run_id, by=by, reason=reason, clock=clock))
        except TcError as fault:
            problems.append(str(fault))
    return found, problems


class _Kill:
    def __init__(self, run: RunDirectory, by: str, reason: str, clock: Clock, *, include_foreign: bool) -> None:
        self._run, self._by, self._reason, self._clock = run, by, reason, clock
        self._include_foreign = include_foreign
        self._metadata = run.metadata()
        if self._metadata["mode"] != "paper":
            raise InputError(f"run {run.run_id} is a backtest, which holds nothing; end it with Ctrl-C")
        _, self._spec = read_spec_file(run.file(RUN_SPEC))
        self._found = Killed(run.run_id)
        self._began_ns = clock.monotonic_ns()
        self._number = 0
        self._mine: set[str] = set()

    def carry_out(self) -> Killed:
        """Latch, ask, fence, flatten, confirm."""
        latch = KillLatch.of_run(self._run.roots, self._run.run_id)
        endpoint, keys = self._way()
        self._latch(latch, KillLatch.of_account(endpoint.http, keys.api_key))
        if not self._node_ended():
            self._found.path = "agent"
            self._fence()
        if self._found.path == "node" and self._spec.venue.endpoint is None:
            self._confirm_by_evidence()  # its venue ended with it
        else:
            self._mine = _own_orders(self._run)
            with VenueClient(endpoint, keys, clock=self._clock) as client:
                self._flatten(client)
        self._found.seconds = round((self._clock.monotonic_ns() - self._began_ns) / 1e9, 3)
        if self._found.is_latched:
            latch.note("KillConfirmed", self._found.as_json(), self._clock)
        return self._found

    def _way(self) -> tuple[LoopbackEndpoint, ApiKeys]:
        return way_to_venue(self._run, self._spec, spec_folder(self._metadata))

    def _latch(self, *latches: KillLatch) -> None:
        for latch in latches:
            try:
                latch.close(self._by, self._reason, self._clock, run_id=self._run.run_id, account=latches[-1].name)
            except StorageError:
                self._found.is_latched = False

    def _node_ended(self) -> bool:
        """Ask the node to end flat; return whether it is gone by itself in time."""
        holder = lock_holder(self._run.lock_path)
        if holder is None:
            return self._run.is_sealed
        signal_process(holder.pid, holder.start_time, KILL_SIGNAL)
        deadline_ns = self._clock.monotonic_ns() + int(NODE_S * 1e9)
        while self._clock.monotonic_ns() < deadline_ns:
            if self._run.is_sealed:
                return True
            self._clock.sleep(POLL_S)
        return False

    def _fence(self) -> None:
        holder = lock_holder(self._run.lock_path)
        if holder is not None:
            end_process(holder.pid, holder.start_time, 0)

    def _confirm_by_evidence(self) -> None:
        """Read what the venue said last, in the sealed run."""
        books = [entry for entry in read_entries(self._run.file(JOURNAL)) if entry.type == "VenueStateRecorded"]
        left = ["what its venue never said"]
        if books:
            last = books[-1].payload()
            left = [f"{row['quantity']} {name}" for name, row in last["positions"].items()]
            left += [f"order {row['client_order_id']}" for row in last["orders"]]
        if left:
            raise ComponentFault(f"KILL_INCOMPLETE: run {self._run.run_id} ended and left {', '.join(left)}")
        self._found.is_flat = True

    def _flatten(self, client: VenueClient) -> None:
        deadline_ns = self._clock.monotonic_ns() + int(FLAT_S * 1e9)
        flat_ns: int | None = None
        maximum = {one.symbol: one.max_quantity for one in self._spec.instruments if one.max_quantity is not None}
        problem = "it was not flat in time"
        while self._clock.monotonic_ns() < deadline_ns:
            try:
                steps = next_steps(self._books(client), maximum, include_foreign=self._include_foreign)
                for step in steps:
                    self._do(client, step)
            except TcError as fault:
                problem, flat_ns = str(fault), None
                self._clock.sleep(AGAIN_S)
                continue
            if not isinstance(steps[0], Flat):
                flat_ns = None
                continue
            self._found.foreign = steps[0].foreign
            now_ns = self._clock.monotonic_ns()
            flat_ns = flat_ns or now_ns
            if self._found.path == "node" or now_ns - flat_ns >= SETTLED_S * 1e9:
                self._found.is_flat = True
                return
            self._clock.sleep(AGAIN_S)
        raise ComponentFault(
            f"KILL_INCOMPLETE: run {self._run.run_id} is latched, but its account is not confirmed flat: {problem}; "
            f"look at the venue and give `tc kill activate {self._run.run_id}` again"
        )

    def _do(self, client: VenueClient, step: Cancel | Close | Flat) -> None:
        if isinstance(step, Cancel):
            client.cancel(step.order.symbol, step.order.client_order_id, is_algo=step.order.is_algo)
            self._found.canceled.append(step.order.client_order_id)
        elif isinstance(step, Close):
            self._number += 1
            name = f"{PREFIX}{self._clock.now_ns() // 1_000_000}-{self._number}"
            client.close_position(step.symbol, step.side, format(step.quantity, "f"), name)
            while not _is_over(client.order_named(step.symbol, name)):
                self._clock.sleep(POLL_S)
            self._found.closed.append(f"{step.side} {step.quantity} {step.symbol}")

    def _books(self, client: VenueClient) -> Books:
        """Read what is there: seven of the 2,400 requests that a minute allows, ten more where it is not flat."""
        symbols = {instrument.symbol for instrument in self._spec.instruments}
        net = {row["symbol"]: Decimal(row["positionAmt"]) for row in client.positions() if row["symbol"] in symbols}
        found = [(row["symbol"], str(row["clientOrderId"]), False) for row in client.open_orders()]
        found += [(row["symbol"], str(row["clientAlgoId"]), True) for row in client.open_algo_orders()]
        orders = [
            WorkingOrder(symbol, name, is_algo, name in self._mine)
            for symbol, name, is_algo in found
            if symbol in symbols
        ]
        return Books(net, self._own(client, net), orders)

    def _own(self, client: VenueClient, net: Mapping[str, Decimal]) -> dict[str, Decimal]:
        """Return what of the net positions the run's own orders, and those of this kill, have made."""
        own: dict[str, Decimal] = {}
        since_ms = parse_utc_ns(self._metadata["created"]) // 1_000_000
        for symbol in net:
            names = {int(row["orderId"]): str(row["clientOrderId"]) for row in client.orders(symbol, since_ms)}
            for fill in client.trades(symbol, since_ms):
                name = names.get(int(fill["orderId"]), "")
                if name in self._mine or name.startswith(PREFIX):
                    signed = Decimal(fill["qty"]) * (1 if fill["side"] == "BUY" else -1)
                    own[symbol] = own.get(symbol, Decimal(0)) + signed
        return own


def way_to_venue(run: RunDirectory, spec: RunSpec, base: Path) -> tuple[LoopbackEndpoint, ApiKeys]:
    """Return where a run's venue listens and the keys of its account, from what the run left of them.

    Raises:
        InputError: neither is known any more: the run never started, or is over.
    """
    if spec.venue.endpoint is not None:
        assert spec.venue.credentials is not None, "the spec was read"
        return resolve_loopback(spec.venue.endpoint), resolve_keys(spec.venue.credentials, base)
    trace = trace_of(run, VENUE)
    venue = OwnVenue(spec, run.roots, run.run_id)
    if not trace or not venue.key_file.exists():
        raise InputError(f"run {run.run_id} has no venue of its own any more, so nothing of it can be held anywhere")
    return resolve_loopback(str(trace["http"])), venue.keys()


def _own_orders(run: RunDirectory) -> set[str]:
    """Return the client ids of every order that the run's strategies made: those in the journal but for strangers'."""
    found = set()
    for entry in read_entries(run.file(JOURNAL)):
        if entry.type == "OrderInitialized":
            data = entry.payload()
            if data["strategy_id"] != "EXTERNAL":
                found.add(data["client_order_id"])
    return found


def _is_over(order: dict[str, Any]) -> bool:
    return order["status"] in ("FILLED", "CANCELED", "EXPIRED", "REJECTED", "EXPIRED_IN_MATCH")
