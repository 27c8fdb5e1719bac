"""The alert desk of a run: the sinks that its spec names, with targets from this process's environment."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tc.alert.desk import AlertDesk, log_of
from tc.alert.sinks import sinks_of
from tc.clock import SYSTEM_CLOCK, Clock
from tc.errors import IdUnsafe, InputError
from tc.store.roots import Roots
from tc.supervise.command import run_command

if TYPE_CHECKING:
    from tc.model.run_spec import RunSpec

_LOG_END = ".log"


def open_desk(
    spec: RunSpec,
    roots: Roots,
    run_id: str,
    clock: Clock = SYSTEM_CLOCK,
    environment: Mapping[str, str] = os.environ,
) -> AlertDesk:
    """Return the desk of a run, in each process that asks; `close` it so that what is queued leaves.

    Raises:
        InputError: a sink that the spec names has no target in the environment.
        IdUnsafe: the journal of this run would have the name of another's log.
    """
    if run_id.endswith(_LOG_END):
        raise IdUnsafe(f"run id {run_id!r} ends with {_LOG_END}, as the log of another run's alerts does; take another")
    names = (spec.safety.alerts if spec.safety is not None else None) or ()
    sinks = sinks_of(names, environment, log_of(roots.alerts, run_id), run=run_command)
    return AlertDesk(roots.alerts, sinks, run_id=run_id, clock=clock)


def open_desk_for_kill(names: Sequence[str], roots: Roots, run_id: str, clock: Clock = SYSTEM_CLOCK) -> AlertDesk:
    """Return the desk of a run for whoever kills it; of the sinks those that have a target here."""
    known = [name for name in names if _has_target(name)]
    sinks = sinks_of(known, os.environ, log_of(roots.alerts, run_id), run=run_command)
    return AlertDesk(roots.alerts, sinks, run_id=run_id, clock=clock)


def _has_target(name: str) -> bool:
    try:
        return bool(sinks_of([name], os.environ, Path()))
    except InputError:
        return False
