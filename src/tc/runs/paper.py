"""A paper run from the outside: its venue and its node as children, started, watched, started again, ended.

The supervisor holds no order and no ledger. When it dies the node notices, takes no new risk and keeps its stops.
"""

from __future__ import annotations

import getpass
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tc.clock import SYSTEM_CLOCK, Clock, parse_utc_ns
from tc.durable import make_directory, process_start_time, remove_tree, write_artifact
from tc.errors import ComponentFault, InputError, StorageError, TcError
from tc.ids import make_run_id, plain_id
from tc.model.endpoint import ApiKeys, LoopbackEndpoint
from tc.runs.alerting import open_desk
from tc.runs.credentials import resolve_keys
from tc.runs.ending import RunResult, load_result
from tc.runs.identity import installed_identity
from tc.runs.kill_order import KillOrder
from tc.runs.paper_agent import ArmedAgent
from tc.runs.paper_health import HealthCheck
from tc.runs.paper_kill import RunKill
from tc.runs.paper_order import PLAYED_OUT, NodeOrder
from tc.runs.paper_venue import HOST, OwnVenue, remove_venue
from tc.runs.paper_watch import CPU_BOUND, PaperWatch
from tc.runs.run_alert import RunAlerts
from tc.runs.spec_file import read_spec_file
from tc.runs.stop import StopRequest
from tc.store.roots import Roots
from tc.store.run_directory import RunDirectory, encode_document
from tc.store.run_store import RunStore
from tc.supervise.child import Child
from tc.supervise.watch_policy import GiveUp, Quarantine
from tc.venue.loopback import require_no_redirect, resolve_loopback

LATEST = "latest"
POLL_S = 0.05
MAX_RESTARTS = 3
CLOSE_S = 120.0
SUPERVISOR = "supervisor.json"
VENUE = "venue.json"

Watcher = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class PaperRequest:
    """What the operator asked for; above the first `attempt` a run goes on, and `is_closing` settles and seals it."""

    spec_path: Path
    roots: Roots
    run_id: str | None = None
    operator: str | None = None
    base: Path | None = None
    attempt: int = 1
    is_closing: bool = False


@dataclass(frozen=True)
class PaperEnd:
    """How it ended: a sealed run, or the exit code of a node that never made one and has said why itself."""

    result: RunResult | None
    exit_code: int


@contextmanager
def _ended_on_fault(node: Child) -> Iterator[None]:
    """Let no node go on that waits for an order that will never come."""
    try:
        yield
    except BaseException:
        node.kill()
        node.close()
        raise


def run_paper(
    request: PaperRequest, watcher: Watcher, clock: Clock = SYSTEM_CLOCK, node: Child | None = None
) -> PaperEnd:
    """Run the spec's venue and node to their end; the first node is the one given, if it loads already.

    Raises:
        InputError, RefusedError: nothing was started.
        ComponentFault: the node died for good and what it holds could not be settled; the run is not sealed.
    """
    return Supervisor(request, watcher, clock).run(node)


class Supervisor:
    """One paper run being supervised."""

    def __init__(self, request: PaperRequest, watcher: Watcher, clock: Clock) -> None:
        self._request = request
        self._outside = watcher
        self._clock = clock
        _, self._spec = read_spec_file(request.spec_path)
        self._run_id = request.run_id or self._free_id()
        if plain_id(self._run_id, "run_id") == LATEST:
            raise InputError(f"found --run-id {LATEST}, which names the newest run in other commands; choose another")
        self._run = RunDirectory(request.roots, self._run_id)
        self._venue: OwnVenue | None = None
        self._agent: ArmedAgent | None = None
        self._kill = RunKill(request.roots, self._run_id, clock)
        self._health: HealthCheck | None = None
        self._is_created = request.attempt > 1
        self._is_over = False

    @property
    def run_id(self) -> str:
        """The id that the run has or will have."""
        return self._run_id

    def run(self, node: Child | None = None) -> PaperEnd:
        """Start everything, and return when the run is sealed or cannot be."""
        if self._request.attempt == 1 and self._run.path.exists():
            raise InputError(f"found a run {self._run_id} already; choose another --run-id")
        with StopRequest() as stop:
            self._alerts = RunAlerts(
                open_desk(self._spec, self._request.roots, self._run_id, self._clock), str(self._run.path)
            )
            try:
                node = node or Child(["node"])  # loads while the venue starts
                with _ended_on_fault(node):
                    order = self._order()
                    self._leave_traces(order)
                    self._arm(order)
                    if order.attempt == 1:  # read here, while the node loads
                        order = replace(order, installed=installed_identity())
                return self._supervise(node, order, stop)
            finally:
                self._clean()

    def _watcher(self, fact: dict[str, Any]) -> None:
        self._alerts.take_fact(fact)
        self._outside(fact)

    def _arm(self, order: NodeOrder) -> None:
        """Arm the kill agent, unless the run is killed already and nothing of it will trade."""
        if order.is_killed:
            return
        since_ms = self._clock.now_ns() // 1_000_000
        if self._is_created:
            since_ms = parse_utc_ns(self._run.metadata()["created"]) // 1_000_000
        known = KillOrder.of(self._run, self._spec, order.endpoint, order.keys, since_ms)
        self._agent = self._kill.agent = ArmedAgent(known, self._watcher, self._clock)
        self._agent.begin()
        self._agent.require_armed()

    def _supervise(self, node: Child, order: NodeOrder, stop: StopRequest) -> PaperEnd:
        safety = self._spec.safety
        restarts = MAX_RESTARTS if safety is None or safety.max_restarts is None else safety.max_restarts
        percent = None if safety is None else safety.max_cpu_percent
        bound = CPU_BOUND if percent is None else percent / 100
        self._watch = PaperWatch(self._run, restarts, self._watcher, self._clock, cpu_bound=bound)
        self._health = HealthCheck(self._run, order.endpoint, self._watcher, self._clock)
        is_disk = False
        while True:
            node.tell(order.to_line())
            code = self._follow(node, order, stop)
            if self._run.is_sealed:
                return PaperEnd(load_result(self._run), code)
            if not self._is_created:
                return PaperEnd(None, code)
            is_disk |= code == StorageError.exit_code
            if order.is_closing:
                raise self._not_sealed(order, is_disk=is_disk)
            node, order = self._start_again(order.attempt + 1, code, stop)
            self._watcher(
                {"event": "restart", "attempt": order.attempt, "exit_code": code, "closing": order.is_closing}
            )

    def _start_again(self, attempt: int, code: int, stop: StopRequest) -> tuple[Child, NodeOrder]:
        """Return the next node and its order; what comes up before it may be told that order decides on it, too."""
        is_killed = self._await_kill(stop)
        verdict = self._watch.died()
        node = Child(["node"])  # it loads while it is held back
        with _ended_on_fault(node):
            give_up = self._give_up(verdict, code, stop)
            if not (is_killed or self._is_ending(code, stop)):
                self._hold_back(verdict, code, stop)
                give_up = give_up or self._give_up(verdict, code, stop)
                is_killed = self._await_kill(stop)
            is_closing = is_killed or bool(give_up) or self._is_ending(code, stop)
            give_up = "" if is_killed else give_up
            return node, self._order_again(attempt, is_closing=is_closing, is_killed=is_killed, give_up=give_up)

    def _await_kill(self, stop: StopRequest) -> bool:
        """Return whether the run is killed; then the venue was kept for whoever made it flat."""
        if not self._kill.is_given():
            return False
        self._kill.wait(stop.is_set, self._keep_all)
        return True

    def _is_kill_open(self) -> bool:
        is_unsealed = self._is_created and not self._run.is_sealed
        return is_unsealed and self._kill.is_given() and not self._kill.is_confirmed()

    def _is_ending(self, code: int, stop: StopRequest) -> bool:
        return stop.is_set() or self._is_over or 0 < code < ComponentFault.exit_code

    def _give_up(self, verdict: Quarantine | GiveUp, code: int, stop: StopRequest) -> str:
        """Return why no node of the run may trade any more, where none may."""
        if self._agent is not None and self._agent.lost and not stop.is_set():
            return f"given up: {self._agent.lost}"
        if isinstance(verdict, GiveUp) and not self._is_ending(code, stop):
            return f"given up: the node ended with {code} after {verdict.restarts} restarts, which are all that it had"
        return ""

    def _hold_back(self, verdict: Quarantine | GiveUp, code: int, stop: StopRequest) -> None:
        """Let nothing trade until the node may come back, and its kill agent is armed, or lost."""
        self._watch.hold_back(verdict, code)

        def is_over() -> bool:
            return stop.is_set() or self._kill.is_given()

        self._watch.await_return(verdict, self._last_order.endpoint, is_over, self._keep_all)
        while self._agent is not None and not (self._agent.is_armed or self._agent.lost or is_over()):
            self._keep_all()
            self._clock.sleep(POLL_S)

    def _not_sealed(self, order: NodeOrder, *, is_disk: bool) -> TcError:
        if is_disk:
            return StorageError(
                f"run {self._run_id} is not sealed: the disk failed, and nothing was sent that is not recorded; mend "
                f"it, look at {order.endpoint.http}, then `tc runs recover {self._run_id}`"
            )
        if self._is_kill_open():
            return ComponentFault(
                f"run {self._run_id} is not sealed: it was killed, and nobody confirmed that it is flat at "
                f"{order.endpoint.http}; give `tc kill activate {self._run_id}` again, then `tc runs recover "
                f"{self._run_id}`"
            )
        return ComponentFault(
            f"run {self._run_id} is not sealed: what it holds at {order.endpoint.http} could not be confirmed; "
            f"look there, then `tc runs recover {self._run_id}`"
        )

    def _follow(self, node: Child, order: NodeOrder, stop: StopRequest) -> int:
        """Pass on what the node says and what the operator asks until it is gone; keep the venue alive meanwhile."""
        knows_fault = knows_stop = order.is_closing  # that ends by itself, and no other lets go of what is held
        is_running = is_played_out = False
        try:
            while True:
                self._watch.turn(node)
                self._check_health(node)
                line = node.next_line(POLL_S)
                if line is not None:
                    is_running |= line.get("event") == "running"
                    self._hear(line)
                    continue
                code = node.exit_code()
                if code is not None:
                    for left in node.last_lines():
                        self._hear(left)
                    return code
                if self._agent is not None and not self._agent.look() and not knows_fault:
                    knows_fault = True  # nobody trades without one: end as after a fault
                    node.tell(json.dumps({"fault": self._agent.lost}).encode())
                if stop.is_set() and not knows_stop:
                    knows_stop = True
                    node.ask_to_stop(stop.number)
                self._keep_venue()
                if is_running and not is_played_out and self._venue is not None and self._venue.is_played_out():
                    is_played_out = True
                    node.tell(PLAYED_OUT)
        except BaseException:
            node.stop(CLOSE_S)  # without us, or without its venue, it would hold on to what it has
            raise
        finally:
            node.close()

    def _check_health(self, node: Child) -> None:
        agent = self._agent
        assert self._health is not None, "it is made with the watch"
        self._health.turn(
            node.pid,
            is_agent_running=agent is None or agent.is_running,
            missing=[*self._watch.missing, *(() if agent is None else agent.missing)],
            cpu_share=self._watch.cpu_share,
        )

    def _keep_all(self) -> None:
        if self._agent is not None:
            self._agent.look()
        self._keep_venue()

    def _keep_venue(self) -> None:
        if self._venue is not None and self._venue.has_ended():
            self._watcher({"event": "venue_restart"})
            self._venue.start()
            self._leave_traces(self._last_order)

    def _hear(self, line: dict[str, Any]) -> None:
        self._is_created |= line.get("event") == "created"
        self._is_over |= line.get("event") == "open"  # it ended and could not confirm how
        if line.get("event") == "journal_fault" and self._agent is not None:
            self._agent.hand_over(str(line["reason"]))
        self._watcher(line)

    def _order(self) -> NodeOrder:
        request, spec = self._request, self._spec
        base = request.base or request.spec_path.resolve().parent
        if spec.venue.endpoint is None:
            endpoint, keys = self._own_venue(base)
        else:
            endpoint = resolve_loopback(spec.venue.endpoint)
            require_no_redirect(endpoint)
            assert spec.venue.credentials is not None, "the spec was read"
            keys = resolve_keys(spec.venue.credentials, base)
        is_killed = request.is_closing and self._kill.is_given()
        return NodeOrder(
            run_id=self._run_id,
            spec_path=str(request.spec_path.resolve()),
            base=str(base),
            artifacts=str(request.roots.artifacts),
            runtime=str(request.roots.runtime),
            operator=request.operator or spec.operator or getpass.getuser(),
            host=endpoint.host,
            port=endpoint.port,
            api_key=keys.api_key,
            api_secret=keys.api_secret,
            is_own_venue=spec.venue.endpoint is None,
            attempt=request.attempt,
            is_closing=request.is_closing,
            is_killed=is_killed,
            is_confirmed=is_killed and self._kill.is_confirmed(),
        )

    def _order_again(self, attempt: int, *, is_closing: bool, is_killed: bool, give_up: str) -> NodeOrder:
        # Asked for anew: keys may have been rotated meanwhile.
        order = self._order() if self._venue is None else self._last_order
        return order.again(
            attempt, is_closing=is_closing, is_killed=is_killed, give_up=give_up,
            is_confirmed=is_killed and self._kill.is_confirmed(),
        )  # fmt: skip

    def _own_venue(self, base: Path) -> tuple[LoopbackEndpoint, ApiKeys]:
        self._venue = venue = OwnVenue(self._spec, self._request.roots, self._run_id)
        if not venue.key_file.exists():
            credentials = self._spec.venue.credentials
            venue.prepare(None if credentials is None else resolve_keys(credentials, base))
        venue.start()
        return LoopbackEndpoint(HOST, venue.port), venue.keys()

    def _leave_traces(self, order: NodeOrder) -> None:
        """Write where supervisor and venue are, for whoever attaches, stops or reconciles."""
        self._last_order = order
        make_directory(self._run.scratch)
        mine = {"pid": os.getpid(), "start_time": process_start_time(os.getpid())}
        write_artifact(self._run.scratch / SUPERVISOR, encode_document(mine))
        venue: dict[str, Any] = {"http": order.endpoint.http, "account": self._spec.account}
        if self._venue is not None:
            venue |= self._venue.trace()
        write_artifact(self._run.scratch / VENUE, encode_document(venue))

    def _clean(self) -> None:
        if self._health is not None:
            self._health.close()
        self._alerts.close()
        if self._agent is not None:
            self._agent.end(is_sealed=self._run.is_sealed, clock=self._clock)
        if self._venue is not None and self._is_kill_open():
            self._venue.leave()  # whoever kills the run needs it
        elif self._venue is not None:
            self._venue.stop()
            if self._run.is_sealed or not self._is_created:
                remove_venue(self._request.roots, self._run_id)
        if self._run.scratch.is_dir() and (self._run.is_sealed or not self._is_created):
            remove_tree(self._run.scratch)

    def _free_id(self) -> str:
        made = make_run_id(self._clock.now_ns(), self._spec.name, self._spec.digest())
        taken = set(RunStore(self._request.roots).run_ids())
        return next(
            name for name in (made, *(f"{made}-{number}" for number in range(2, len(taken) + 3))) if name not in taken
        )
