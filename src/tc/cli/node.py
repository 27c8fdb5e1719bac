"""`tc node`: the node of a paper run, started by its supervisor and by nobody else."""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
from contextlib import redirect_stdout
from typing import Any

from tc.errors import InputError
from tc.supervise.lifeline import Lifeline

EXIT_OPEN = 6


def node() -> None:
    """Run the node that the line on standard input orders; a supervisor's business."""
    if sys.stdin.isatty():
        raise InputError("tc node is started by `tc run`; give your RunSpec to that")
    gc.disable()  # what is loaded stays, so nothing is to be found among it
    from tc.runs.paper_node import run_node  # takes long: the supervisor prepares the order meanwhile

    gc.freeze()
    gc.enable()
    for number in (signal.SIGUSR1, signal.SIGUSR2):  # ask a running node to reconcile, or to kill what it holds
        signal.signal(number, signal.SIG_IGN)
    lifeline = Lifeline(sys.stdin.fileno())
    line = lifeline.next_line()
    if not line:
        raise InputError("tc node found no order on its standard input; it is started by `tc run`")
    out = sys.stdout
    _quiet_the_engine()

    def say(fact: dict[str, Any]) -> None:
        try:
            out.write(json.dumps(fact) + "\n")
            out.flush()
        except BrokenPipeError:
            pass  # nobody listens any more: the run goes on

    with redirect_stdout(sys.stderr):  # what a strategy prints must not end up among our facts
        result = run_node(line, lifeline, say)
    if result is None:
        sys.exit(EXIT_OPEN)
    say({"event": "sealed", "exit_code": result.exit_code})
    sys.exit(result.exit_code)


def _quiet_the_engine() -> None:
    """Let what the engine writes to the terminal by itself go nowhere: every error of it is in nautilus.jsonl too.

    What we and the strategies say goes where it went before.
    """
    sys.stderr.flush()
    sys.stderr = os.fdopen(os.dup(sys.stderr.fileno()), "w", buffering=1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
