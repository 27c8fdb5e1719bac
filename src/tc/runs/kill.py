"""Kill a paper run: latch it, then let its armed agent do the work, or do it ourselves where there is none.

The latch comes first, but a kill never waits for a disk: where it cannot be written the kill goes on and says so.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tc.alert.alert import AlertKind
from tc.clock import SYSTEM_CLOCK, Clock
from tc.durable import is_process_alive
from tc.errors import ComponentFault, InputError, StorageError, TcError
from tc.runs.kill_call import call_agent
from tc.runs.kill_note import KillNotes, LatchClosingApart, holds, unless_closed
from tc.runs.kill_order import AGENT, CALL_SIGNAL
from tc.runs.kill_work import Killed, KillWork
from tc.store.kill_latch import CLOSED, CONFIRMED, INCOMPLETE, TAKEN, KillLatch, require_words
from tc.store.roots import Roots
from tc.store.run_directory import RunDirectory, trace_of
from tc.store.run_store import RunStore
from tc.supervise.process import end_process, fork_apart, signal_process

TAKEN_S = 2.0
"""How long the agent may take to begin before it is ended, and its work done here."""
AGENT_S = 90.0
POLL_S = 0.05


def kill_run(
    roots: Roots, run_id: str, *, by: str, reason: str, include_foreign: bool = False, clock: Clock = SYSTEM_CLOCK
) -> Killed:
    """Kill a run and return when the venue says that it is flat.

    Raises:
        InputError: it is no paper run, or nobody is named; or nothing is known of its venue, and it is latched.
        ComponentFault: it is not confirmed; the latch holds, and an agent keeps trying.
    """
    require_words(by, reason)
    run = RunStore(roots).find(run_id)
    if run.metadata()["mode"] != "paper":
        raise InputError(f"run {run_id} is a backtest, which holds nothing; end it with Ctrl-C")
    latch = KillLatch.of_run(roots, run_id)
    seen = _closings(latch)
    closing = LatchClosingApart(latch, by, reason, clock, run_id=run_id, include_foreign=include_foreign)
    problem = closing.problem()
    if problem is None:
        found = _by_agent(run, latch, seen, clock)
    else:
        found = _by_call(run, closing, {"by": by, "reason": reason, "include_foreign": include_foreign}, clock)
    if found is not None:
        return found
    agent = trace_of(run, AGENT)
    if agent:  # it does not work, and must not wake up beside us
        end_process(agent["pid"], agent["start_time"], 0)
    try:
        if problem is None:
            return _by_ourselves(run, by, reason, clock, None, include_foreign=include_foreign)
        left = unless_closed(latch, problem)
        return _apart(lambda: _by_ourselves(run, by, reason, clock, left, include_foreign=include_foreign))
    except InputError:
        confirmed = _since(latch, 0).get(CONFIRMED)
        if not run.is_sealed or confirmed is None:
            raise
        return Killed(**confirmed)  # another kill was there first, and its venue is gone


def kill_all(roots: Roots, *, by: str, reason: str, clock: Clock = SYSTEM_CLOCK) -> tuple[list[Killed], list[str]]:
    """Close the latch of everything, then kill every paper run of these roots that is not sealed.

    Return what each came to, and in words each that could not be confirmed.
    """
    require_words(by, reason)
    problems: list[str] = []
    problem = LatchClosingApart(KillLatch.of_all(), by, reason, clock).problem()
    if problem is not None:
        problems.append(f"NOT LATCHED: {problem}")
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


def _by_agent(run: RunDirectory, latch: KillLatch, seen: int, clock: Clock) -> Killed | None:
    """Return what the armed agent did; None where there is none, or it does not begin, or is gone in between."""
    agent = trace_of(run, AGENT)
    if not agent or not signal_process(agent["pid"], agent["start_time"], CALL_SIGNAL):
        return None
    began_ns, is_taken = clock.monotonic_ns(), False
    while True:
        kinds = _since(latch, seen)
        is_taken |= TAKEN in kinds
        if CONFIRMED in kinds:
            return Killed(**kinds[CONFIRMED])
        if INCOMPLETE in kinds:
            raise ComponentFault(f"{kinds[INCOMPLETE]['reason']}; its agent keeps trying")
        waited_s = (clock.monotonic_ns() - began_ns) / 1e9
        if waited_s > (AGENT_S if is_taken else TAKEN_S):
            return None
        if not is_process_alive(agent["pid"], agent["start_time"]):
            return None
        clock.sleep(POLL_S)


def _by_call(run: RunDirectory, closing: LatchClosingApart, call: dict[str, Any], clock: Clock) -> Killed | None:
    """Call the armed agent, which no latch told, and return what it did; None where it does not answer."""
    is_taken = False
    for said in call_agent(run.scratch, call, AGENT_S, clock):
        facts = said["facts"]
        if not is_taken:
            is_taken = True
            closing.leave()  # the agent goes on trying until both latches are written
        if said["stage"] == "confirmed":
            return Killed(**facts)
        if said["stage"] == "incomplete":
            raise ComponentFault(f"{facts['reason']}; its agent keeps trying")
    return None


def _apart(work: Callable[[], Killed]) -> Killed:
    """Kill in a copy of this process, which waits for a disk that hangs; with its threads a command could not end."""

    def tell(say: Callable[[bytes], None]) -> None:
        try:
            said: dict[str, Any] = {"found": work().as_json()}
        except TcError as fault:
            said = {"fault": str(fault), "is_input": isinstance(fault, InputError)}
        say(json.dumps(said).encode() + b"\n")

    _, its = fork_apart(tell)
    with its, its.makefile("rb") as stream:
        line = stream.readline()
    if not line:
        raise ComponentFault("KILL_INCOMPLETE: whoever did it ended over it; look at the venue, and give it again")
    said = json.loads(line)
    if "found" in said:
        return Killed(**said["found"])
    raise (InputError if said["is_input"] else ComponentFault)(said["fault"])


def _by_ourselves(
    run: RunDirectory, by: str, reason: str, clock: Clock, problem: str | None, *, include_foreign: bool
) -> Killed:
    """Do the agent's work; `problem` says why the run's latch is not closed, where it is not."""
    from tc.runs.alerting import open_desk_for_kill
    from tc.runs.kill_way import order_of  # only here: a spec takes longer to import than a latch to close
    from tc.runs.run_alert import RunAlerts

    order = order_of(run)
    account = KillLatch.of_account(order.endpoint.http, order.api_key)
    other = LatchClosingApart(account, by, reason, clock, run_id=run.run_id).problem()
    problem = (other and unless_closed(account, other)) or problem
    alerts = RunAlerts(open_desk_for_kill(order.alerts, run.roots, run.run_id, clock), str(run.path))
    alerts.take_kill("taken", {"by": by, "reason": reason})
    if problem is not None:
        alerts.raise_alert(AlertKind.not_latched, f"NOT LATCHED: {problem}; it is tried again until it is")
    notes = KillNotes(KillLatch.of_run(run.roots, run.run_id), clock)
    notes.add(TAKEN, {"who": "operator", "account": account.name})

    def tell(stage: str, facts: dict[str, Any]) -> None:
        if stage != "confirmed":  # told with what was found
            alerts.take_kill(stage, facts)

    work = KillWork(order, clock, tell, include_foreign=include_foreign)
    work.ask()
    try:
        found = work.carry_out()
        found.is_latched = problem is None or (holds(account) and holds(KillLatch.of_run(run.roots, run.run_id)))
        notes.add(CONFIRMED, found.as_json())
        alerts.take_kill("confirmed", {"seconds": found.seconds})
        return found
    except ComponentFault as fault:
        notes.add(INCOMPLETE, {"reason": str(fault)})
        raise
    finally:
        notes.close()
        alerts.close()


def _closings(latch: KillLatch) -> int:
    try:
        return sum(entry.type == CLOSED for entry in latch.history())
    except StorageError:
        return 0


def _since(latch: KillLatch, closings: int) -> dict[str, dict[str, Any]]:
    """Return what became of the kill that was given after so many others, by kind of entry."""
    found: dict[str, dict[str, Any]] = {}
    try:
        for entry in latch.history():
            closings -= entry.type == CLOSED
            if closings < 0:
                found[entry.type] = entry.payload()
    except StorageError:
        pass  # it was written a moment ago; the agent's silence decides
    return found
