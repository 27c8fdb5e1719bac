"""Kill a paper run: latch it, then let its armed agent do the work, or do it ourselves where there is none.

The latch comes first, but a kill never waits for a disk: where it cannot be written the kill goes on and says so.
"""

from __future__ import annotations

from typing import Any

from tc.clock import SYSTEM_CLOCK, Clock
from tc.durable import is_process_alive
from tc.errors import ComponentFault, InputError, StorageError, TcError
from tc.runs.kill_note import KillNotes, close_in_time
from tc.runs.kill_order import AGENT, CALL_SIGNAL
from tc.runs.kill_work import Killed, KillWork
from tc.store.kill_latch import CLOSED, CONFIRMED, INCOMPLETE, TAKEN, KillLatch
from tc.store.roots import Roots
from tc.store.run_directory import RunDirectory, trace_of
from tc.store.run_store import RunStore
from tc.supervise.process import end_process, signal_process

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
    run = RunStore(roots).find(run_id)
    if run.metadata()["mode"] != "paper":
        raise InputError(f"run {run_id} is a backtest, which holds nothing; end it with Ctrl-C")
    latch = KillLatch.of_run(roots, run_id)
    seen = _closings(latch)
    problem = close_in_time(latch, by, reason, clock, run_id=run_id, include_foreign=include_foreign)
    if problem is None:
        found = _by_agent(run, latch, seen, clock)
        if found is not None:
            return found
    agent = trace_of(run, AGENT)
    if agent:  # it does not work, and must not wake up beside us
        end_process(agent["pid"], agent["start_time"], 0)
    try:
        return _by_ourselves(run, by, reason, clock, is_latched=problem is None, include_foreign=include_foreign)
    except InputError:
        confirmed = _since(latch, 0).get(CONFIRMED)
        if not run.is_sealed or confirmed is None:
            raise
        return Killed(**confirmed)  # another kill was there first, and its venue is gone


def kill_all(roots: Roots, *, by: str, reason: str, clock: Clock = SYSTEM_CLOCK) -> tuple[list[Killed], list[str]]:
    """Close the latch of everything, then kill every paper run of these roots that is not sealed.

    Return what each came to, and in words each that could not be confirmed.
    """
    problems: list[str] = []
    problem = close_in_time(KillLatch.of_all(), by, reason, clock)
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


def _by_ourselves(
    run: RunDirectory, by: str, reason: str, clock: Clock, *, is_latched: bool, include_foreign: bool
) -> Killed:
    from tc.runs.kill_way import order_of  # only here: a spec takes longer to import than a latch to close

    order = order_of(run)
    work = KillWork(order, clock, lambda _stage, _facts: None, include_foreign=include_foreign)
    work.ask()
    account = KillLatch.of_account(order.endpoint.http, order.api_key)
    problem = close_in_time(account, by, reason, clock, run_id=run.run_id)
    notes = KillNotes(KillLatch.of_run(run.roots, run.run_id), clock)
    notes.add(TAKEN, {"who": "operator", "account": account.name})
    work.found.is_latched = is_latched and problem is None
    try:
        found = work.carry_out()
        notes.add(CONFIRMED, found.as_json())
        return found
    except ComponentFault as fault:
        notes.add(INCOMPLETE, {"reason": str(fault)})
        raise
    finally:
        notes.close()


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
