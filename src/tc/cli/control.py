"""`tc cancel|standdown|resume|mode`: what an operator tells a running paper run, short of killing it."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Annotated, Any

import typer

from tc.cli.options import ArtifactsRoot, AsJson, RunId, RuntimeRoot
from tc.cli.output import emit, print_json, print_lines
from tc.store.roots import Roots

EXIT_UNCONFIRMED = 6

By = Annotated[str, typer.Option("--by", help="Who does it: a named person.")]
Reason = Annotated[str, typer.Option("--reason", help="Why.")]
Strategy = Annotated[str | None, typer.Option("--strategy", help="Only this strategy, by its id in the spec.")]
Instrument = Annotated[str | None, typer.Option("--instrument", help="Only this instrument.")]


def cancel(
    run_id: RunId,
    by: By,
    reason: Reason,
    strategy: Strategy = None,
    instrument: Instrument = None,
    everything: Annotated[bool, typer.Option("--all", help="Orders that only reduce, too: stops and targets.")] = False,
    as_json: AsJson = False,
    artifacts_root: ArtifactsRoot = None,
    runtime_root: RuntimeRoot = None,
) -> None:
    """Cancel the working orders of a running run; stops stay unless --all. Exit 6 where the venue confirmed not all."""
    words = {"strategy_id": strategy, "instrument_id": instrument, "everything": everything}
    roots = Roots.of(artifacts_root, runtime_root)
    done = _tell(roots, run_id, {"verb": "cancel", **words, "by": by, "reason": reason}, as_json=as_json)
    if not as_json:
        print_lines(_outcomes(done))
        print_lines(_unprotected(done))
    raise typer.Exit(EXIT_UNCONFIRMED if done["unconfirmed"] else 0)


def standdown(
    run_id: RunId,
    by: By,
    reason: Reason,
    strategy: Strategy = None,
    instrument: Instrument = None,
    as_json: AsJson = False,
    artifacts_root: ArtifactsRoot = None,
    runtime_root: RuntimeRoot = None,
) -> None:
    """Take no new risk from now on, in the account, of a strategy or in an instrument; keep managing what there is."""
    asked = {"verb": "standdown", "strategy_id": strategy, "instrument_id": instrument, "by": by, "reason": reason}
    done = _tell(Roots.of(artifacts_root, runtime_root), run_id, asked, as_json=as_json)
    if not as_json:
        print_lines(_states(done))
        print_lines(_unprotected(done))


def resume(
    run_id: RunId,
    by: By,
    reason: Reason,
    strategy: Strategy = None,
    instrument: Instrument = None,
    as_json: AsJson = False,
    artifacts_root: ArtifactsRoot = None,
    runtime_root: RuntimeRoot = None,
) -> None:
    """End a stand-down of a running run. To start an interrupted run again: `tc runs resume`."""
    asked = {"verb": "resume", "strategy_id": strategy, "instrument_id": instrument, "by": by, "reason": reason}
    done = _tell(Roots.of(artifacts_root, runtime_root), run_id, asked, as_json=as_json)
    if not as_json:
        print_lines(_states(done))


def mode(
    run_id: RunId,
    strategy: Annotated[str, typer.Argument(help="The strategy, by its id in the spec.")],
    to: Annotated[str, typer.Argument(metavar="off|observe|active", help="The mode it is to have.")],
    by: By,
    reason: Reason,
    as_json: AsJson = False,
    artifacts_root: ArtifactsRoot = None,
    runtime_root: RuntimeRoot = None,
) -> None:
    """Change a strategy's mode while it runs; leaving `active` with orders or a position is refused (exit 3)."""
    asked = {"verb": "mode", "strategy_id": strategy, "mode": to, "by": by, "reason": reason}
    done = _tell(Roots.of(artifacts_root, runtime_root), run_id, asked, as_json=as_json)
    if not as_json:
        print_lines(_states(done))


def _tell(roots: Roots, run_id: str, words: dict[str, Any], *, as_json: bool) -> dict[str, Any]:
    """Say what will be done to what, do it, and return what was."""
    from tc.cli.runs import find_run
    from tc.model.operator_request import OperatorRequest
    from tc.runs.control import PLAN_S, ask_node

    request = OperatorRequest.checked(**words)
    run = find_run(roots, run_id)
    plan = ask_node(run, request.model_copy(update={"is_plan": True}), timeout_s=PLAN_S)
    if not as_json:
        for line in _planned(request.verb, request.mode, plan):
            emit(line, is_live=True)
    done = ask_node(run, request)
    if as_json:
        print_json({"run_id": run.run_id, "plan": plan, "done": done})
    elif done["not_recorded"]:
        print_lines([f"NOT RECORDED: it was done, but is not in the journal: {done['not_recorded']}"])
    return done


def _planned(verb: str, mode: str | None, plan: dict[str, Any]) -> Iterable[str]:
    match verb:
        case "cancel":
            yield f"cancels {_count(plan['cancels'], 'order')}, keeps {len(plan['keeps'])}:"
        case "standdown":
            yield f"takes no new risk of {_names(plan)}; nothing is canceled or closed:"
        case "resume":
            yield f"ends the stand-down; {_names(plan)} may take risk again, as far as mode and limits let:"
        case _:
            yield f"sets {_names(plan)} to {mode}; nothing is canceled or closed:"
    for order in plan["cancels"]:
        yield f"  cancels {_order(order)}"
    for order in plan["keeps"]:
        warned = "" if order["reduce_only"] or verb == "cancel" else "; it may still fill: `tc cancel` takes it"
        yield f"  keeps {_order(order)}{warned}"
    for position in plan["positions"]:
        yield f"  keeps position {position['quantity']} {position['instrument_id']} of {position['strategy_id']}"


def _outcomes(done: dict[str, Any]) -> Iterable[str]:
    for order in done["cancels"]:
        name = order["client_order_id"]
        if name in done["unconfirmed"]:
            yield f"NOT CONFIRMED by the venue: {name} is {order['status']}; look there, or give the command again"
        else:
            filled = "" if not Decimal(order["filled"]) else f", {order['filled']} of {order['quantity']} filled"
            yield f"the venue says: {name} is {order['status']}{filled}"
    if not done["cancels"]:
        yield "no order was there to be canceled"


def _unprotected(done: dict[str, Any]) -> Iterable[str]:
    for position in done["positions"]:
        if Decimal(position["unprotected"]):
            whole = position["quantity"]
            yield f"UNPROTECTED: {position['unprotected']} of position {whole} {position['instrument_id']} has no stop"


def _states(done: dict[str, Any]) -> Iterable[str]:
    return (f"{name}: {state}" for name, state in done["strategies"].items())


def _names(plan: dict[str, Any]) -> str:
    return ", ".join(plan["strategies"])


def _count(found: list[Any], noun: str) -> str:
    return f"{len(found)} {noun}" + ("" if len(found) == 1 else "s")


def _order(order: dict[str, Any]) -> str:
    at = order["price"] or order["trigger_price"]
    where = "" if at is None else f" at {at}"
    only = ", reduce-only" if order["reduce_only"] else ""
    kind = order["type"].lower().replace("_", " ")
    return (
        f"{order['client_order_id']}: {kind} {order['side']} {order['quantity']} {order['instrument_id']}{where}{only}"
    )
