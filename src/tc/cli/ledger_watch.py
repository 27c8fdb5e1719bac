"""`tc ledger watch`: the foreground process that keeps an account's derived files current."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import typer

from tc.cli.main import EXIT_INTERRUPTED
from tc.cli.options import Account, AsJson, RuntimeRoot
from tc.cli.output import emit
from tc.clock import SYSTEM_CLOCK, iso_utc
from tc.errors import NotFound
from tc.runs.stop import StopRequest
from tc.store.derived_keeper import DERIVED_INTERVAL_S, Cycle, DerivedKeeper
from tc.store.ledger_directory import LedgerDirectory
from tc.store.roots import Roots

TICK_S = 0.25


def watch(
    account: Account,
    interval_s: Annotated[
        float, typer.Option("--interval", min=1, help="Seconds after which the files are compared in any case.")
    ] = DERIVED_INTERVAL_S,
    as_json: AsJson = False,
    runtime_root: RuntimeRoot = None,
) -> None:
    """Keep the derived files as the ledger says until Ctrl-C or SIGTERM; one line a rebuild.

    A damaged ledger is said on stderr and recorded, its derived files stay as they are, and the watch goes on.
    """
    keeper = DerivedKeeper(LedgerDirectory.of(Roots.of(None, runtime_root), account), interval_s=interval_s)
    with StopRequest() as stop:
        while not stop.is_set():
            cycle = keeper.tick()
            if cycle is not None:
                if isinstance(cycle.fault, NotFound):  # never of a ledger that was there: that is a loss
                    raise cycle.fault
                _tell(cycle, as_json=as_json)
            SYSTEM_CLOCK.sleep(TICK_S)
    raise typer.Exit(EXIT_INTERRUPTED if stop.kind == "interrupt" else 0)


def _tell(cycle: Cycle, *, as_json: bool) -> None:
    if cycle.is_repeated:
        return
    now = iso_utc(SYSTEM_CLOCK.now_ns())
    if as_json:
        emit(json.dumps({"at": now, **_facts(cycle)}, ensure_ascii=False), is_live=True)
    elif cycle.rebuilt is None:
        sys.stderr.write(f"tc: {cycle.fault}\n")
    else:
        names = ", ".join(cycle.rebuilt.written) or "every file was right"
        emit(f"{now} {cycle.rebuilt.head.seq:,} entries; {names}", is_live=True)


def _facts(cycle: Cycle) -> dict[str, Any]:
    if cycle.rebuilt is None:
        return {"problem": str(cycle.fault)}
    head = cycle.rebuilt.head
    return {"problem": None, "entries": head.seq, "head": head.hash, "written": list(cycle.rebuilt.written)}
