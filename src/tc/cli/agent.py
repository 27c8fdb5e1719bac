"""`tc agent`: the kill agent of a paper run, started by its supervisor and by nobody else."""

from __future__ import annotations

import json
import sys
from typing import Any

from tc.clock import SYSTEM_CLOCK
from tc.errors import InputError
from tc.supervise.lifeline import Lifeline


def agent() -> None:
    """Arm the kill agent that the line on standard input orders; a supervisor's business."""
    if sys.stdin.isatty():
        raise InputError("tc agent is started by `tc run`; give your RunSpec to that")
    from tc.runs.agent import Agent
    from tc.runs.kill_order import KillOrder

    lifeline = Lifeline(sys.stdin.fileno())
    line = lifeline.next_line()
    if not line:
        raise InputError("tc agent found no order on its standard input; it is started by `tc run`")

    def say(fact: dict[str, Any]) -> None:
        try:
            sys.stdout.write(json.dumps(fact) + "\n")
            sys.stdout.flush()
        except BrokenPipeError:
            pass  # nobody listens any more: it stays armed

    armed = Agent(KillOrder.from_line(line), lifeline, say, SYSTEM_CLOCK)
    armed.arm()
    armed.watch()
