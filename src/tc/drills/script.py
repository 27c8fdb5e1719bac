"""A stage whose strategies do what a drill tells them, and what became of it: orders at the venue, denials."""

from __future__ import annotations

from collections import Counter

from tc.drills.drill import Stage
from tc.drills.experiment import Experiment
from tc.drills.target import SCRIPT, Target
from tc.durable import append_stream

TOLD = "tc.engine.strategies.drill_told:Told"
SCRIPTED = Stage(TOLD, {"script": SCRIPT}, safety={"stale_data_timeout_s": 90}, entries=8)


def tell(x: Experiment, *lines: str, script: str = SCRIPT) -> None:
    """Tell the strategy that reads `script` what to do: one line a bar."""
    with append_stream(x.target.script.with_name(script)) as stream:
        for line in lines:
            stream.write(f"{line}\n".encode())


def hold(x: Experiment) -> None:
    """Return once the strategy holds a position."""
    tell(x, "market BUY 0.010")
    x.await_ready("the strategy holds a position at the venue", lambda: bool(x.target.venue.truth().net()))


def denials(target: Target) -> dict[str, int]:
    """Return by code how many orders were refused."""
    return dict(
        Counter(str(one.payload().get("code", one.payload().get("reason"))) for one in target.found("IntentDenied"))
    )
