"""`tc run`: one spec, one run, progress while it lasts, a summary at the end."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tc.cli.options import ArtifactsRoot, AsJson, RuntimeRoot
from tc.cli.output import print_json
from tc.errors import InputError
from tc.store.roots import Roots

if TYPE_CHECKING:
    from tc.engine.progress import Progress
    from tc.runs.start import Watcher


def run(
    context: typer.Context,
    spec: Annotated[Path, typer.Argument(help="RunSpec to run.", show_default=False)],
    run_id: Annotated[str | None, typer.Option("--run-id", help="Name the run; must be new.")] = None,
    operator: Annotated[str | None, typer.Option("--operator", help="Who answers for it; default: the user.")] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Paper: run it apart from this terminal.")] = False,
    as_json: AsJson = False,
    artifacts_root: ArtifactsRoot = None,
    runtime_root: RuntimeRoot = None,
    base: Annotated[Path | None, typer.Option("--base", hidden=True)] = None,
    bars_max: Annotated[int | None, typer.Option("--bars-max", hidden=True)] = None,
) -> None:
    """Run a RunSpec and leave a sealed directory of evidence.

    Ctrl-C and SIGTERM end the run cleanly and seal what happened so far.
    """
    from tc.runs.spec_file import read_spec_file

    if read_spec_file(spec)[1].mode == "paper":
        from tc.cli.paper import run_paper_apart, run_paper_here
        from tc.runs.paper import PaperRequest

        paper = PaperRequest(spec, Roots.of(artifacts_root, runtime_root), run_id, operator, base)
        if detach:
            raise typer.Exit(run_paper_apart(paper, as_json=as_json))
        raise typer.Exit(run_paper_here(paper, as_json=as_json, node=context.obj))
    if detach:
        raise InputError("found --detach, but a backtest ends by itself; leave it out")
    from tc.supervise.hash_seed import restart_with_fixed_hash_seed

    if context.obj is not None:
        context.obj.kill()  # what looked like a paper run was none, and its node would not be ours any more
    restart_with_fixed_hash_seed()
    from tc.runs.start import RunRequest, start_run

    roots = Roots.of(artifacts_root, runtime_root)
    request = RunRequest(spec, roots, run_id, operator, base, bars_max)
    with redirect_stdout(sys.stderr):  # what a strategy prints must not end up among our facts
        if as_json or not sys.stderr.isatty():
            result = start_run(request, lambda _run_id, _progress: None)
        else:
            with _ProgressBar() as bar:
                result = start_run(request, bar.watch)
    if as_json:
        print_json(result.as_json())
    else:
        from tc.cli.summary import print_summary

        print_summary(result)
    raise typer.Exit(result.exit_code)


class _ProgressBar:
    """A rich progress line on stderr that appears with the first bar."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("bars, {task.fields[orders]:,} orders"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task: Any = None

    def __enter__(self) -> _ProgressBar:
        self._progress.start()
        return self

    def __exit__(self, *_exit: object) -> None:
        self._progress.stop()

    @property
    def watch(self) -> Watcher:
        """The function that a run reports to."""
        return self._watch

    def _watch(self, run_id: str, progress: Progress) -> None:
        if self._task is None:
            self._task = self._progress.add_task(run_id, total=progress.bars_total, orders=0)
        orders = progress.counts.get("OrderInitialized", 0)
        self._progress.update(self._task, completed=progress.bars, orders=orders)
