"""`tc evidence`: what two runs prove about each other."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from tc.cli.options import ArtifactsRoot, AsJson, RuntimeRoot
from tc.cli.output import emit, print_json, print_lines
from tc.cli.runs import find_run
from tc.store.roots import Roots

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Hold backtest and paper against each other.")

Paper = Annotated[str, typer.Option("--paper-run-id", help="A sealed paper run with a venue of its own.")]


@app.command()
def compare(
    backtest_run_id: Annotated[
        str, typer.Option("--backtest-run-id", help="A sealed backtest of the same strategies.")
    ],
    paper_run_id: Paper,
    base: Annotated[Path | None, typer.Option("--base", help="Folder of the strategies' relative paths.")] = None,
    as_json: AsJson = False,
    artifacts_root: ArtifactsRoot = None,
    runtime_root: RuntimeRoot = None,
) -> None:
    """Match the orders of a backtest and a paper run; name and prove the cause of every difference."""
    from tc.runs.parity import compare_with_paper
    from tc.runs.parity_files import write_comparison

    roots = Roots.of(artifacts_root, runtime_root)
    backtest, paper = find_run(roots, backtest_run_id), find_run(roots, paper_run_id)

    def say(text: str) -> None:
        if not as_json:
            emit(f"  {text} ...", is_live=True)

    compared = compare_with_paper(roots, backtest.run_id, paper.run_id, base, say)
    document, paths = write_comparison(roots, compared)
    if as_json:
        print_json({**document, "files": [str(path) for path in paths]})
    else:
        parity = compared.parity
        print_lines([f"{parity.matched:,} of {parity.compared:,} orders match (score {parity.score:.3f})"])
        print_lines(
            f"  {cause:12} {parity.orders_by_cause[cause]:>6,} orders  {parity.cash[cause]:+,.2f}"
            for cause in parity.orders_by_cause
        )
        print_lines(f"  {one.file}: {one.problem}" for one in compared.findings)
        print_lines([f"  {parity.unexplained:,} unexplained", *(f"  {path}" for path in paths)])
    raise typer.Exit(0 if compared.is_explained else 1)


@app.command()
def replay(
    paper_run_id: Paper,
    base: Annotated[Path | None, typer.Option("--base", help="Folder of the strategies' relative paths.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace the dataset of an earlier replay.")] = False,
    as_json: AsJson = False,
    artifacts_root: ArtifactsRoot = None,
    runtime_root: RuntimeRoot = None,
) -> None:
    """Turn the bars that a paper run got into a dataset, and run its strategies over it as a backtest."""
    from tc.runs.paper_replay import replay_paper
    from tc.supervise.hash_seed import restart_with_fixed_hash_seed

    restart_with_fixed_hash_seed()
    roots = Roots.of(artifacts_root, runtime_root)
    run = find_run(roots, paper_run_id)
    done = replay_paper(roots, run.run_id, base, lambda _run_id, _progress: None, replace=replace)
    if as_json:
        print_json(asdict(done))
    else:
        print_lines(
            [
                f"dataset   {', '.join(done.datasets)}",
                f"spec      {done.spec_path}",
                f"backtest  {done.run_id}",
                f"compare   tc evidence compare --backtest-run-id {done.run_id} --paper-run-id {run.run_id}",
            ]
        )
    raise typer.Exit(done.exit_code)
