"""`tc metrics`: serve them to Prometheus, print them, list what there is."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from tc.cli.options import ArtifactsRoot, RuntimeRoot
from tc.cli.output import emit
from tc.store.roots import Roots

app = typer.Typer(help="Metrics of all runs, for Prometheus.", no_args_is_help=True)

HOST, PORT = "127.0.0.1", 9464


@app.command()
def serve(
    host: Annotated[str, typer.Option("--host", help="Address to listen at.")] = HOST,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port; 0 is any that is free.")] = PORT,
    allow_remote: Annotated[
        bool, typer.Option("--allow-remote", help="Listen beyond this machine; needs --token-file.")
    ] = False,
    token_file: Annotated[
        Path | None, typer.Option("--token-file", help="File with the token that clients have to show.")
    ] = None,
    file_sd: Annotated[
        Path | None,
        typer.Option(
            "--file-sd", help="Folder for Prometheus's targets; default: metrics/file_sd of the runtime root."
        ),
    ] = None,
    advertise: Annotated[
        str | None, typer.Option("--advertise", help="Host:port that those targets name; default: where it listens.")
    ] = None,
    artifacts_root: ArtifactsRoot = None,
    runtime_root: RuntimeRoot = None,
) -> None:
    """Serve the metrics to Prometheus.

    Until Ctrl-C or SIGTERM; what cannot be read is named on stderr.
    """
    from tc.observe.serving import ServeRequest, serve_metrics

    request = ServeRequest(
        Roots.of(artifacts_root, runtime_root), host, port, token_file, file_sd, advertise, allow_remote=allow_remote
    )
    serve_metrics(request, say=lambda line: emit(line, is_live=True), log=_log)


@app.command()
def export(
    run_id: Annotated[
        str | None, typer.Argument(help="Only this run, in full; `latest` is the newest.", show_default=False)
    ] = None,
    openmetrics: Annotated[bool, typer.Option("--openmetrics", help="OpenMetrics in place of plain text.")] = False,
    artifacts_root: ArtifactsRoot = None,
    runtime_root: RuntimeRoot = None,
) -> None:
    """Print what a scrape gets.

    The page of all runs, or of one: the very same bytes.
    """
    from tc.observe.serving import export_page

    roots = Roots.of(artifacts_root, runtime_root)
    body = export_page(roots, run_id, is_openmetrics=openmetrics, log=_log)
    try:
        sys.stdout.buffer.write(body)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        emit("")  # ends the process quietly


@app.command()
def families() -> None:
    """Print what metrics there are.

    Every family with its labels and meaning, as Markdown.
    """
    from tc.observe.reference import reference_markdown

    emit(reference_markdown().rstrip("\n"))


@app.command()
def boards(
    name: Annotated[str | None, typer.Argument(help="A board; without it their names.", show_default=False)] = None,
) -> None:
    """Print a Grafana board.

    As the JSON that dashboards/grafana/ holds; without a name, the boards there are.
    """
    from tc.observe.boards import BOARDS, render_board

    emit("\n".join(BOARDS) if name is None else render_board(name).decode().rstrip("\n"))


def _log(line: str) -> None:
    sys.stderr.write(f"tc: {line}\n")
    sys.stderr.flush()
