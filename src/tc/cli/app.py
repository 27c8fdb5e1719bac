"""The command tree. Only the branch that was asked for is loaded, so that every command starts at once."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Annotated, Any

import typer

import tc

# Command or group, the module that has it, and its name there.
_BRANCHES = {
    "run": "tc.cli.run",
    "verify": "tc.cli.verify",
    "seal": "tc.cli.seal",
    "evidence": "tc.cli.evidence",
    "runs": "tc.cli.runs",
    "journal": "tc.cli.journal",
    "ledger": "tc.cli.ledger",
    "data": "tc.cli.data",
    "spec": "tc.cli.spec",
    "venue": "tc.cli.venue",
    "cancel": "tc.cli.control",
    "standdown": "tc.cli.control",
    "resume": "tc.cli.control",
    "mode": "tc.cli.control",
    "status": "tc.cli.status",
    "top": "tc.cli.top",
    "kill": "tc.cli.kill",
    "drill": "tc.cli.drill",
    "alerts": "tc.cli.alerts",
    "reconcile": "tc.cli.reconcile",
    "connectivity": "tc.cli.connectivity",
    "metrics": "tc.cli.metrics",
    "assess": "tc.cli.assess",
    "stress": "tc.cli.stress",
    "doctor": "tc.cli.doctor",
}
_HIDDEN = {"node": "tc.cli.node", "agent": "tc.cli.agent", "replay": "tc.cli.replay"}


def build_app(arguments: list[str]) -> typer.Typer:
    """Return the application with the branch that `arguments` name, or with all where they name none."""
    app = typer.Typer(
        name="tc",
        help="Flight simulator and black box for NautilusTrader strategies.",
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    app.callback()(root)
    named = arguments[0] if arguments else ""
    branches = _BRANCHES | _HIDDEN
    for name in [named] if named in branches else _BRANCHES:
        module = import_module(branches[name])
        if hasattr(module, "app"):
            app.add_typer(module.app, name=name)
        else:
            command: Callable[..., Any] = getattr(module, name)
            app.command(name)(command)
    return app


def _print_version(value: bool) -> None:
    if value:
        typer.echo(f"tc {tc.__version__}")
        raise typer.Exit


def root(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    """Flight simulator and black box for NautilusTrader strategies."""
