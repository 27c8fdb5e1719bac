"""`tc alerts`: what was raised, who has seen it, and whether the sinks work."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from tc.cli.options import AsJson, RuntimeRoot
from tc.cli.output import print_json, print_lines, print_table
from tc.store.roots import Roots

app = typer.Typer(help="Safety alerts: list them, acknowledge one, try the sinks.", no_args_is_help=True)

TEST_RUN = "test"
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


@app.command("list")
def list_alerts(
    run_id: Annotated[
        str | None, typer.Argument(help="Only the alerts of this run; `latest` is the newest.", show_default=False)
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Those that are over, too.")] = False,
    as_json: AsJson = False,
    runtime_root: RuntimeRoot = None,
) -> None:
    """List the open alerts, the most severe first: how old, what, who has seen it."""
    from tc.alert.folder import AlertFolder
    from tc.clock import SYSTEM_CLOCK
    from tc.ids import plain_id

    folder = AlertFolder(Roots.of(None, runtime_root).alerts)
    known = folder.run_ids()
    if run_id == "latest":
        known = sorted(known, key=lambda name: (folder.path / f"{name}.jsonl").stat().st_mtime_ns)[-1:]
    elif run_id is not None:
        known = [name for name in known if name == plain_id(run_id, "run id")]
    shown = []
    for name in known:
        book = folder.book(name)
        kept = (each for each in book.alerts.values() if everything or book.is_open(each))
        shown += [(each, book.is_open(each)) for each in kept]
    shown.sort(key=lambda pair: (not pair[1], pair[0].alert.severity.rank, pair[0].alert.raised_ns))
    now = SYSTEM_CLOCK.now_ns()
    if as_json:
        print_json([{**each.as_json(), "open": is_open} for each, is_open in shown])
    elif not shown:
        print_lines(["no alert was raised" if everything else "no alert is open"])
    else:
        header = ("ALERT", "SEVERITY", "KIND", "AGE", "RUN", "SEEN BY", "WHAT")
        print_table(header, [_row(each, is_open, now) for each, is_open in shown])


@app.command()
def ack(
    alert_id: Annotated[str, typer.Argument(help="Id of one alert, as `tc alerts list` shows it.")],
    by: Annotated[str, typer.Option("--by", help="Who has seen it: a named person.")],
    reason: Annotated[str, typer.Option("--reason", help="What is done about it.")] = "",
    as_json: AsJson = False,
    runtime_root: RuntimeRoot = None,
) -> None:
    """Say that you have seen one alert: it is escalated no more. One by one; there is no way to dismiss several."""
    from tc.alert.folder import AlertFolder

    kept = AlertFolder(Roots.of(None, runtime_root).alerts).acknowledge(alert_id, by, reason)
    if as_json:
        print_json(kept.as_json())
    else:
        print_lines([f"{alert_id}: acknowledged by {kept.acknowledged_by}; what to do: {kept.alert.runbook}"])


@app.command("test")
def try_out(
    sink: Annotated[
        str | None,
        typer.Option("--sink", help="Only this one; without it log and each that TC_ALERT_… has a target for."),
    ] = None,
    as_json: AsJson = False,
    runtime_root: RuntimeRoot = None,
) -> None:
    """Send a test alert and say what each sink did with it. Exit 1 if one did not take it."""
    import os

    from tc.alert.desk import log_of
    from tc.alert.sinks import named_in, sinks_of
    from tc.alert.trial import try_sinks
    from tc.supervise.command import run_command

    log = log_of(Roots.of(None, runtime_root).alerts, TEST_RUN)
    names = named_in(os.environ) if sink is None else [sink]
    sinks = [each for each in sinks_of(names, os.environ, log, run=run_command) if sink in (None, each.name)]
    trials = try_sinks(sinks, TEST_RUN)
    if as_json:
        print_json([{"sink": one.sink, "latency_ns": one.latency_ns, "problem": one.problem} for one in trials])
    else:
        for one in trials:
            said = "delivered" if one.problem is None else f"NOT delivered: {one.problem}"
            print_lines([f"{one.sink}: {said} ({one.latency_ns / 1e6:.0f} ms)"])
    raise typer.Exit(1 if any(one.problem is not None for one in trials) else 0)


def _row(each: Any, is_open: bool, now_ns: int) -> tuple[str, ...]:
    alert = each.alert
    seen = each.acknowledged_by or ("nobody" if is_open else "-")
    what = f"{alert.what} ({alert.where})" if alert.where else alert.what
    age = _age((now_ns - alert.since_ns) / 1e9)
    line = " ".join(what.split())
    return (alert.alert_id, alert.severity, alert.kind, age, alert.run_id, seen, line if is_open else f"over: {line}")


def _age(seconds: float) -> str:
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return "0 s"
