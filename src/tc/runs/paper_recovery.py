"""Find a paper run again whose processes are gone, and go on with it or close it; ask a running one to stop."""

from __future__ import annotations

import signal

from tc.clock import SYSTEM_CLOCK, Clock
from tc.durable import is_process_alive, lock_holder, read_entries
from tc.errors import BusyError, ComponentFault, InputError, RefusedError
from tc.runs.kill_order import AGENT
from tc.runs.paper import SUPERVISOR, VENUE, PaperEnd, PaperRequest, Watcher, run_paper
from tc.runs.paper_kill import RunKill
from tc.runs.paper_venue import remove_venue
from tc.runs.spec_file import spec_folder
from tc.store.kill_latch import KillLatch
from tc.store.roots import Roots
from tc.store.run_directory import INPUTS, JOURNAL, RUN_SPEC, RunDirectory, trace_of
from tc.store.run_store import RunStore
from tc.supervise.process import end_process, signal_process

POLL_S = 0.1
VENUE_STOP_S = 10.0


def resume_paper(
    roots: Roots, run_id: str, watcher: Watcher, *, is_closing: bool, clock: Clock = SYSTEM_CLOCK
) -> PaperEnd:
    """Start the node of an interrupted run once more, to go on, or only to settle what is open and seal.

    Raises:
        InputError: it is sealed, or no paper run.
        BusyError: it is still running.
        RefusedError: it was killed, and is to go on.
        ComponentFault: what it holds could not be confirmed; it stays open.
    """
    run = RunStore(roots).find(run_id)
    if run.is_sealed:
        raise InputError(f"run {run_id} is sealed already; there is nothing to go on with")
    metadata = run.metadata()
    if metadata["mode"] != "paper":
        raise InputError(f"run {run_id} is a backtest, which is run again, not resumed; `tc runs recover` closes it")
    holder = lock_holder(run.lock_path)
    if holder is not None:
        raise BusyError(f"run {run_id} is still running, held by {holder.describe()}; `tc runs stop {run_id}` first")
    if not is_closing:
        require_unkilled(run)
    end_orphans(run, clock)
    request = PaperRequest(
        run.file(RUN_SPEC), roots, run_id, metadata["operator"], spec_folder(metadata), _starts(run) + 1, is_closing
    )
    return run_paper(request, watcher, clock)


def end_orphans(run: RunDirectory, clock: Clock = SYSTEM_CLOCK) -> list[int]:
    """End what an earlier supervisor left behind, by pid and start time; return which processes that were."""
    ended = []
    supervisor, venue = trace_of(run, SUPERVISOR), trace_of(run, VENUE)
    if supervisor and is_process_alive(supervisor["pid"], supervisor["start_time"]):
        raise BusyError(
            f"run {run.run_id} has a supervisor, pid {supervisor['pid']}; `tc runs stop {run.run_id}` first"
        )
    if venue.get("pid") and end_process(venue["pid"], venue["start_time"], VENUE_STOP_S):
        ended.append(int(venue["pid"]))
    agent, kill = trace_of(run, AGENT), RunKill(run.roots, run.run_id, clock)
    is_in_vain = bool(venue.get("pid") and agent) and kill.is_given() and not kill.is_confirmed()
    if is_in_vain and end_process(agent["pid"], agent["start_time"], 0):  # its venue comes back elsewhere
        ended.append(int(agent["pid"]))
    return ended


def require_unkilled(run: RunDirectory) -> None:
    state = KillLatch.of_run(run.roots, run.run_id).state()
    if state is not None:
        raise RefusedError(
            f"the kill latch {state.describe()}; nothing of the run trades until a named person clears it: `tc kill "
            f"clear {run.run_id} --by NAME --reason WHY`; `tc runs recover {run.run_id}` seals it"
        )


def stop_run(roots: Roots, run_id: str, timeout_s: float, clock: Clock = SYSTEM_CLOCK) -> RunDirectory:
    """Ask a running run to end cleanly, and return when it is sealed.

    Raises:
        InputError: it is not running.
        ComponentFault: it is not sealed in time.
    """
    run = RunStore(roots).find(run_id)
    if run.is_sealed:
        raise InputError(f"run {run_id} is sealed already; there is nothing to stop")
    supervisor, venue, holder = trace_of(run, SUPERVISOR), trace_of(run, VENUE), lock_holder(run.lock_path)
    is_asked = bool(supervisor) and signal_process(supervisor["pid"], supervisor["start_time"], signal.SIGTERM)
    is_supervised = is_asked
    if not is_asked and holder is not None:  # nobody supervises it any more
        is_asked = signal_process(holder.pid, holder.start_time, signal.SIGTERM)
    if not is_asked:
        raise InputError(f"run {run_id} is not running; `tc runs recover {run_id}` closes it")
    deadline_ns = clock.monotonic_ns() + int(timeout_s * 1e9)
    while not run.is_sealed:
        if clock.monotonic_ns() > deadline_ns:
            raise ComponentFault(f"run {run_id} did not end within {timeout_s:g} s; it was asked to and goes on ending")
        clock.sleep(POLL_S)
    if venue.get("pid") and not is_supervised:
        end_process(venue["pid"], venue["start_time"], VENUE_STOP_S)
        remove_venue(roots, run_id)
    return run


def _starts(run: RunDirectory) -> int:
    # In both: a node that is killed as it starts may have written the one and not the other.
    return max(
        (
            int(entry.payload()["attempt"])
            for name in (JOURNAL, INPUTS)
            if run.file(name).exists()
            for entry in read_entries(run.file(name))
            if entry.type in ("NodeStarted", "AttemptStarted")
        ),
        default=1,
    )
