"""The command tree. Each command imports what it needs when it is called, so that every other starts at once."""

from __future__ import annotations

from typing import Annotated

import typer

import tc
from tc.cli import data, doctor, journal, run, runs, spec, verify

app = typer.Typer(
    name="tc",
    help="Flight simulator and black box for NautilusTrader strategies.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=True,
)
app.command("run")(run.run)
app.command("verify")(verify.verify)
app.command("doctor")(doctor.doctor)
app.add_typer(runs.app, name="runs")
app.add_typer(journal.app, name="journal")
app.add_typer(spec.app, name="spec")
app.add_typer(data.app, name="data")


def _print_version(value: bool) -> None:
    if value:
        typer.echo(f"tc {tc.__version__}")
        raise typer.Exit


@app.callback()
def root(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Flight simulator and black box for NautilusTrader strategies."""
