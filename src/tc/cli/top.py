"""`tc top`: the status of a run, or of all open ones, live. To look is no run: Ctrl-C just stops looking, exit 0."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from tc.cli.options import ArtifactsRoot, RuntimeRoot
from tc.cli.output import emit
from tc.store.roots import Roots

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tc.cli.status_text import Line

INTERVAL_S = 1.0
_STYLES = {"good": "green", "bad": "bold red", "unknown": "yellow", "plain": ""}


def top(
    run_id: Annotated[
        str | None, typer.Argument(help="Run id, or `latest`; without one every unsealed paper run.")
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="One frame, then end.")] = False,
    artifacts_root: ArtifactsRoot = None,
    runtime_root: RuntimeRoot = None,
) -> None:
    """Watch a run's status, renewed every second until it is sealed; Ctrl-C stops looking and leaves the run alone."""
    roots = Roots.of(artifacts_root, runtime_root)
    frames = _frames(roots, run_id, is_once=once)
    try:
        if sys.stdout.isatty() and not once:
            _show_live(frames)
        else:
            for number, frame in enumerate(frames):
                for line in [*([""] if number else []), *(line.text for line in frame)]:
                    emit(line, is_live=True)
    except KeyboardInterrupt:
        return


def _frames(roots: Roots, run_id: str | None, *, is_once: bool) -> Iterator[list[Line]]:
    from tc.cli.runs import find_run
    from tc.cli.status_text import Line, lines, one_line
    from tc.clock import SYSTEM_CLOCK, iso_utc
    from tc.runs.status import status_of, unsealed_paper_runs

    run = None if run_id is None else find_run(roots, run_id)
    while True:
        stamp = Line(iso_utc(SYSTEM_CLOCK.now_ns())[:19] + "Z")
        is_over = is_once
        if run is not None:
            status = status_of(run)
            is_over |= status.is_sealed
            yield [stamp, *lines(status)]
        else:
            yield [stamp, *([one_line(each) for each in unsealed_paper_runs(roots)] or [Line("no paper run is open")])]
        if is_over:
            return
        SYSTEM_CLOCK.sleep(INTERVAL_S)


def _show_live(frames: Iterator[list[Line]]) -> None:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    with Live(console=Console(highlight=False), auto_refresh=False) as live:
        for frame in frames:
            live.update(Text("\n").join(Text(line.text, style=_STYLES[line.tone]) for line in frame), refresh=True)
