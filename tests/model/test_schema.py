"""The JSON Schema and the reference page: checked in, current, and never stricter than the reader."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tc.model.reading import read_run_spec
from tc.model.reference import run_spec_reference
from tc.model.schema import run_spec_schema
from tc.model.starter import starter
from tc.model.yaml_source import parse_yaml

PROJECT = Path(__file__).parents[2]
SHIPPED = sorted((PROJECT / "runspecs").glob("*.yaml"))
VALID = (Path(__file__).parent / "valid-spec.yaml").read_text()


def _validator() -> jsonschema.Draft202012Validator:
    schema = run_spec_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def _plain(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _plain(value) for key, value in node.items()}
    return [_plain(item) for item in node] if isinstance(node, tuple) else node


def test_the_checked_in_schema_is_current() -> None:
    """docs/runspec.schema.json is what `tc spec schema` prints."""
    assert (PROJECT / "docs" / "runspec.schema.json").read_text() == json.dumps(run_spec_schema(), indent=2) + "\n"


def test_the_checked_in_reference_is_current() -> None:
    """docs/runspec.md is what `tc spec schema --markdown` prints."""
    assert (PROJECT / "docs" / "runspec.md").read_text() == run_spec_reference()


def test_the_schema_is_the_same_in_every_process() -> None:
    """Another process with another hash seed generates the same bytes."""
    code = "import json; from tc.model.schema import run_spec_schema; print(json.dumps(run_spec_schema()))"
    printed = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }

    assert printed == {json.dumps(run_spec_schema()) + "\n"}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_every_shipped_spec_is_valid_for_reader_and_schema(path: Path) -> None:
    """Every spec in runspecs/ passes the reader and the schema, and tells editors where the schema is."""
    text = path.read_text()

    assert text.startswith("# yaml-language-server: $schema=../docs/runspec.schema.json\n")
    assert read_run_spec(text.encode(), path.name).name == path.stem
    _validator().validate(yaml.safe_load(text))


@pytest.mark.parametrize("number", ["1", "1.5", '"1.5"', "1e2", '"1e2"', "+2", "2.", "100.000"])
def test_the_schema_takes_every_form_of_a_number(number: str) -> None:
    """Integers, decimals and text are all numbers to the schema, as they are to the reader."""
    text = VALID.replace("leverage: 10", f"leverage: {number}")

    assert read_run_spec(text.encode(), "spec.yaml").venue.leverage >= 1
    _validator().validate(_plain(parse_yaml(text.encode(), "spec.yaml").value))


def test_the_schema_takes_one_feed_and_a_list_of_feeds() -> None:
    """`data` is a feed or a list of feeds."""
    document = yaml.safe_load(VALID)
    _validator().validate(document)
    document["data"] = [document["data"]]
    _validator().validate(document)


@pytest.mark.parametrize(
    ("there", "instead"),
    [
        ("leverage: 10", "levrage: 10"),
        ("seed: 7\n", ""),
        ("kind: perpetual", "kind: spot"),
        ("leverage: 10", "leverage: 0"),
    ],
)
def test_the_schema_refuses_what_an_editor_can_see(there: str, instead: str) -> None:
    """Unknown keys, missing keys, wrong choices and numbers out of range are marked in the editor already."""
    with pytest.raises(jsonschema.ValidationError):
        _validator().validate(yaml.safe_load(VALID.replace(there, instead)))


def test_every_field_is_described() -> None:
    """No field of the schema is without a description, which editors show and the reference prints."""
    schema = run_spec_schema()
    for section in (schema, *schema["$defs"].values()):
        for name, node in section["properties"].items():
            assert node.get("description"), name


@pytest.mark.parametrize("name", ["my-run", "2022", "true", "1e5", "null", "x" * 48])
def test_the_starter_is_valid_under_any_name(name: str) -> None:
    """The starter passes the reader as it stands, also where the name looks like a number to YAML."""
    text = starter(name, "docs/runspec.schema.json")

    assert read_run_spec(text.encode(), "starter").name == name
    _validator().validate(yaml.safe_load(text))
    assert text.startswith("# yaml-language-server: $schema=docs/runspec.schema.json\n")


def test_what_the_starter_shows_as_a_comment_is_valid_too() -> None:
    """Every commented key of the starter can be uncommented, except the placeholder of the fingerprint."""
    lines = starter("my-run", "x").splitlines()
    opened = [
        line.replace("# ", "", 1)
        if line.lstrip().startswith("# ") and ": " in line and "sha256:..." not in line
        else line
        for line in lines[4:]
    ]

    spec = read_run_spec("\n".join(opened).encode(), "starter")
    assert spec.labels == {"desk": "research"}
    assert spec.data[0].start == "2022-01-01T00:00:00Z"
