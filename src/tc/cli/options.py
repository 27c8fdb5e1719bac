"""Options that mean the same on every command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tc.store.roots import ARTIFACTS_ROOT_VARIABLE, RUNTIME_ROOT_VARIABLE

ArtifactsRoot = Annotated[
    Path | None,
    typer.Option(
        "--artifacts-root",
        envvar=ARTIFACTS_ROOT_VARIABLE,
        help="Where runs are kept.",
        show_default="artifacts",
    ),
]
RuntimeRoot = Annotated[
    Path | None,
    typer.Option(
        "--runtime-root",
        envvar=RUNTIME_ROOT_VARIABLE,
        help="Where datasets and live state are kept.",
        show_default="runtime",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the facts as JSON on stdout.")]
RunId = Annotated[str, typer.Argument(help="Run id, as `tc runs list` shows it; `latest` is the newest.")]
Account = Annotated[str, typer.Option("--account", help="The account whose ledger it is.")]
