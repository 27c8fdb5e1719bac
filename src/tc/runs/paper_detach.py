"""Start a paper run apart from the terminal, and return when it is running."""

from __future__ import annotations

from typing import Any

from tc.clock import SYSTEM_CLOCK, Clock
from tc.durable import is_process_alive, make_directory, process_start_time
from tc.errors import ChildFailed
from tc.runs.paper import PaperRequest, Supervisor
from tc.store.run_directory import RunDirectory
from tc.supervise.process import start_apart

START_S = 60.0
POLL_S = 0.1


def start_detached(request: PaperRequest, clock: Clock = SYSTEM_CLOCK) -> dict[str, Any]:
    """Start the run in a session of its own; its words go to `runtime/nodes/<run_id>.log`.

    Raises:
        InputError: the spec or the id is wrong; nothing was started.
        ChildFailed: it ended before it was running; the message has its last words.
    """
    run_id = Supervisor(request, lambda _fact: None, clock).run_id
    roots = request.roots
    make_directory(roots.nodes)
    log = roots.nodes / f"{run_id}.log"
    arguments = ["run", str(request.spec_path), "--run-id", run_id]
    arguments += ["--artifacts-root", str(roots.artifacts), "--runtime-root", str(roots.runtime)]
    arguments += [] if request.operator is None else ["--operator", request.operator]
    pid = start_apart(arguments, log)
    start_time = process_start_time(pid) or 0
    run = RunDirectory(roots, run_id)
    deadline_ns = clock.monotonic_ns() + int(START_S * 1e9)
    while not (run.path.is_dir() and (run.is_sealed or run.metadata()["status"] == "running")):
        if not is_process_alive(pid, start_time) or clock.monotonic_ns() > deadline_ns:
            words = log.read_text(errors="replace").strip() or "it said nothing"
            raise ChildFailed(f"run {run_id} did not start: {words}")
        clock.sleep(POLL_S)
    return {"run_id": run_id, "pid": pid, "directory": str(run.path), "log": str(log)}
