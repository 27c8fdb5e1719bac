"""`tc spec`: check, compare and start run specs. Commands import the model themselves: it costs 150 ms."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tc.durable import create_artifact, read_artifact
from tc.errors import InputError, NotFound, SpecInvalid
from tc.ids import plain_id

if TYPE_CHECKING:
    from tc.model.difference import Difference
    from tc.model.run_spec import RunSpec

SCHEMA_FILE = "runspec.schema.json"
STARTER_NAME = "my-run"

app = typer.Typer(no_args_is_help=True, help="Check, compare and start run specs.")

_AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
_SpecFile = Annotated[Path, typer.Argument(metavar="FILE", help="A run spec.")]


@app.command()
def validate(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="One or more run specs.")],
    as_json: _AsJson = False,
) -> None:
    """Check run specs; exit 0 if all are valid and 2 if one is not, naming every problem."""
    results = [_check(file) for file in files]
    if as_json:
        typer.echo(json.dumps([result for result, _ in results], indent=2))
    else:
        for result, error in results:
            if error is None:
                typer.echo(f"{result['file']}: valid, {result['digest']}")
            else:
                typer.echo(str(error), err=True)
    if any(error is not None for _, error in results):
        raise typer.Exit(InputError.exit_code)


@app.command()
def schema(
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the reference page instead.")] = False,
) -> None:
    """Print the JSON Schema of a run spec, for editors and other tools."""
    if markdown:
        from tc.model.reference import run_spec_reference

        typer.echo(run_spec_reference(), nl=False)
    else:
        from tc.model.schema import run_spec_schema

        typer.echo(json.dumps(run_spec_schema(), indent=2))


@app.command()
def digest(file: _SpecFile) -> None:
    """Print the digest of a run spec; comments, key order, spacing and written-out defaults do not count."""
    typer.echo(_read(file).digest())


@app.command()
def diff(
    before: Annotated[Path, typer.Argument(metavar="A", help="A run spec.")],
    after: Annotated[Path, typer.Argument(metavar="B", help="The run spec to compare it with.")],
    as_json: _AsJson = False,
) -> None:
    """Compare two run specs field by field; exit 0 if they say the same and 1 if not."""
    from tc.model.difference import diff as compare

    left, right = _read(before), _read(after)
    differences = compare(left, right)
    if as_json:
        found = [_difference_fields(each) for each in differences]
        content = {"before": left.digest(), "after": right.digest(), "differences": found}
        typer.echo(json.dumps(content, indent=2))
    elif differences:
        for each in differences:
            typer.echo(f"{each.path}: {_shown(each.before)} -> {_shown(each.after)}")
    else:
        typer.echo(f"{before} and {after} say the same, {left.digest()}")
    if differences:
        raise typer.Exit(1)


@app.command()
def new(
    path: Annotated[Path | None, typer.Argument(metavar="[PATH]", help="File to write; stdout without it.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the run; default: the file's name, or my-run.")] = None,
) -> None:
    """Write a commented, valid starter; an existing file is never overwritten."""
    from tc.model.reading import read_run_spec
    from tc.model.starter import starter

    run_name = plain_id(name or (STARTER_NAME if path is None else path.stem), "name")
    folder = Path.cwd() if path is None else path.absolute().parent
    content = starter(run_name, _schema_path(folder)).encode()
    read_run_spec(content, f"the starter for {run_name!r}")
    if path is None:
        typer.echo(content.decode(), nl=False)
        return
    if not folder.is_dir():
        raise NotFound(f"the folder {path.parent} was not found; create it first")
    create_artifact(path, content)
    typer.echo(f"wrote {path}; edit it, then run `tc spec validate {path}`")


def _read(file: Path) -> RunSpec:
    from tc.model.reading import read_run_spec

    return read_run_spec(read_artifact(file), str(file))


def _check(file: Path) -> tuple[dict[str, Any], InputError | None]:
    try:
        spec = _read(file)
    except SpecInvalid as error:
        return {"file": str(file), "valid": False, "problems": error.problems}, error
    except InputError as error:
        return {"file": str(file), "valid": False, "problems": [str(error)]}, error
    return {"file": str(file), "valid": True, "digest": spec.digest()}, None


def _difference_fields(difference: Difference) -> dict[str, Any]:
    from tc.model.difference import ABSENT

    sides = {"before": difference.before, "after": difference.after}
    return {"path": difference.path, **{side: value for side, value in sides.items() if value is not ABSENT}}


def _shown(value: Any) -> str:
    from tc.model.difference import ABSENT

    return str(value) if value is ABSENT else json.dumps(value, ensure_ascii=False)


def _schema_path(folder: Path) -> str:
    # Inside a clone the checked-in schema is found; elsewhere `tc spec schema` writes one beside the spec.
    for ancestor in (folder, *folder.parents):
        schema_file = ancestor / "docs" / SCHEMA_FILE
        if schema_file.is_file():
            return os.path.relpath(schema_file, folder)
    return SCHEMA_FILE
