"""`tc journal`: read a run's journal, follow it, check its chain."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from tc.cli.options import ArtifactsRoot, AsJson, RunId, RuntimeRoot
from tc.cli.output import emit, print_json, print_lines
from tc.cli.runs import find_run
from tc.clock import iso_utc
from tc.durable import Entry, read_entries, tail_entries, verify_journal
from tc.store.roots import Roots
from tc.store.run_directory import JOURNAL

app = typer.Typer(help="Show, tail and verify a run's journal.", no_args_is_help=True)

_DATA_SHOWN = 160


def _line(entry: Entry, *, whole: bool) -> str:
    data = entry.data.decode()
    if not whole and len(data) > _DATA_SHOWN:
        data = data[:_DATA_SHOWN] + "…"
    return f"{entry.seq:>8} {iso_utc(entry.ts)} {entry.type:<20} {data}"


def _as_json(entry: Entry) -> dict[str, Any]:
    return {
        "seq": entry.seq,
        "ts": entry.ts,
        "type": entry.type,
        "data": json.loads(entry.data),
        "hash": entry.hash,
    }


def _print(entry: Entry, *, whole: bool, as_json: bool) -> None:
    emit(json.dumps(_as_json(entry)) if as_json else _line(entry, whole=whole))


@app.command()
def show(
    run_id: RunId,
    entry_type: Annotated[
        list[str] | None, typer.Option("--type", help="Only entries of this type; repeatable.")
    ] = None,
    first: Annotated[int, typer.Option("--from", help="First seq.")] = 1,
    last: Annotated[int | None, typer.Option("--to", help="Last seq.")] = None,
    whole: Annotated[bool, typer.Option("--whole", help="Do not shorten the data.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    artifacts_root: ArtifactsRoot = None,
    runtime_root: RuntimeRoot = None,
) -> None:
    """Print entries, checking the chain on the way."""
    run = find_run(Roots.of(artifacts_root, runtime_root), run_id)
    for entry in read_entries(run.file(JOURNAL)):
        if last is not None and entry.seq > last:
            break
        if entry.seq >= first and (not entry_type or entry.type in entry_type):
            _print(entry, whole=whole, as_json=as_json)


@app.command()
def tail(
    run_id: RunId,
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="How many entries.")] = 10,
    whole: Annotated[bool, typer.Option("--whole", help="Do not shorten the data.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    artifacts_root: ArtifactsRoot = None,
    runtime_root: RuntimeRoot = None,
) -> None:
    """Print the last entries."""
    run = find_run(Roots.of(artifacts_root, runtime_root), run_id)
    for entry in tail_entries(run.file(JOURNAL), count):
        _print(entry, whole=whole, as_json=as_json)


@app.command()
def verify(
    run_id: RunId,
    as_json: AsJson = False,
    artifacts_root: ArtifactsRoot = None,
    runtime_root: RuntimeRoot = None,
) -> None:
    """Check the whole chain; exit 1 where it is broken or torn."""
    run = find_run(Roots.of(artifacts_root, runtime_root), run_id)
    check = verify_journal(run.file(JOURNAL))
    intact = check.problem is None and not check.torn_bytes
    if as_json:
        print_json(
            {
                "intact": intact,
                "entries": check.entries,
                "head": check.head.hash,
                "torn_bytes": check.torn_bytes,
                "problem": None if check.problem is None else str(check.problem),
            }
        )
    elif intact:
        print_lines([f"{check.entries:,} entries, chain intact, head {check.head.hash}"])
    elif check.problem is not None:
        print_lines([f"broken after {check.entries:,} entries: {check.problem}"])
    else:
        print_lines(
            [f"{check.entries:,} entries intact, then {check.torn_bytes} torn bytes; `tc runs recover` repairs it"]
        )
    raise typer.Exit(0 if intact else 1)
