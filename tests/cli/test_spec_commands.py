"""`tc spec …`: what each command prints and how it ends."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tc.cli.spec import app
from tc.errors import AlreadyExists, IdUnsafe, NotFound, SpecInvalid
from tc.model.reading import read_run_spec

PROJECT = Path(__file__).parents[2]
VALID = PROJECT / "tests" / "model" / "valid-spec.yaml"


def _run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def _changed(folder: Path, there: str, instead: str) -> Path:
    text = VALID.read_text()
    assert there in text
    path = folder / "changed.yaml"
    path.write_text(text.replace(there, instead))
    return path


def test_a_valid_spec_ends_with_zero_and_its_digest() -> None:
    """validate prints the digest of a valid spec and exits 0."""
    result = _run("validate", VALID)

    assert result.exit_code == 0
    assert result.stdout == f"{VALID}: valid, {read_run_spec(VALID.read_bytes(), 'x').digest()}\n"


def test_every_file_is_checked_even_after_a_wrong_one(tmp_path: Path) -> None:
    """validate names the problems of every file on stderr, the valid ones on stdout, and exits 2."""
    wrong = _changed(tmp_path, "seed: 7", "seed: x")
    result = _run("validate", wrong, tmp_path / "missing.yaml", VALID)

    assert result.exit_code == 2
    assert "line 5: seed: found 'x', expected a whole number" in result.stderr
    assert "missing.yaml was not found" in result.stderr
    assert result.stdout.startswith(f"{VALID}: valid, ")


def test_validate_speaks_json(tmp_path: Path) -> None:
    """validate --json prints one document with a result for each file, and exits as without it."""
    wrong = _changed(tmp_path, "seed: 7", "seed: x")
    result = _run("validate", "--json", VALID, wrong)
    found = json.loads(result.stdout)

    assert result.exit_code == 2
    assert [each["valid"] for each in found] == [True, False]
    assert found[0]["digest"].startswith("sha256:")
    assert found[1]["problems"] == ["line 5: seed: found 'x', expected a whole number"]


def test_the_digest_is_printed_alone() -> None:
    """digest prints the digest and nothing else."""
    assert _run("digest", VALID).stdout == read_run_spec(VALID.read_bytes(), "x").digest() + "\n"


def test_a_digest_of_a_wrong_spec_is_refused(tmp_path: Path) -> None:
    """digest of a wrong spec ends with the fault of bad input."""
    error = _run("digest", _changed(tmp_path, "seed: 7", "seed: x")).exception

    assert isinstance(error, SpecInvalid)
    assert error.exit_code == 2


def test_specs_that_say_the_same_end_with_zero(tmp_path: Path) -> None:
    """diff of two spellings of one spec says so and exits 0."""
    result = _run("diff", VALID, _changed(tmp_path, "leverage: 10", 'leverage: "10.0"   # the same'))

    assert result.exit_code == 0
    assert "say the same" in result.stdout


def test_a_changed_field_is_named_with_both_sides(tmp_path: Path) -> None:
    """diff names each field that differs with both values and exits 1."""
    result = _run("diff", VALID, _changed(tmp_path, "fast_ema_period: 10", "extra: 1"))

    assert result.exit_code == 1
    assert result.stdout == (
        "strategies[0].config.fast_ema_period: 10 -> (absent)\nstrategies[0].config.extra: (absent) -> 1\n"
    )


def test_diff_speaks_json(tmp_path: Path) -> None:
    """diff --json gives both digests and, for each field, the sides that have it."""
    result = _run(
        "diff",
        "--json",
        VALID,
        _changed(tmp_path, "fast_ema_period: 10", "fast_ema_period: 11\n      extra:"),
    )
    found = json.loads(result.stdout)

    assert result.exit_code == 1
    assert found["before"] != found["after"]
    assert found["differences"] == [
        {"path": "strategies[0].config.fast_ema_period", "before": 10, "after": 11},
        {"path": "strategies[0].config.extra", "after": None},
    ]


def test_the_schema_command_prints_the_checked_in_files() -> None:
    """schema prints docs/runspec.schema.json, and with --markdown docs/runspec.md."""
    assert _run("schema").stdout == (PROJECT / "docs" / "runspec.schema.json").read_text()
    assert _run("schema", "--markdown").stdout == (PROJECT / "docs" / "runspec.md").read_text()


def test_a_starter_is_printed_without_a_path() -> None:
    """new without a path prints a valid spec and writes nothing."""
    result = _run("new", "--name", "first")

    assert result.exit_code == 0
    assert read_run_spec(result.stdout.encode(), "starter").name == "first"


def test_a_starter_is_written_and_never_over_another_file(tmp_path: Path) -> None:
    """new writes a valid spec named after its file, and a second call leaves the file as it is."""
    path = tmp_path / "momentum.yaml"
    assert _run("new", path).exit_code == 0
    written = path.read_bytes()
    again = _run("new", path, "--name", "other")

    assert read_run_spec(written, "starter").name == "momentum"
    assert isinstance(again.exception, AlreadyExists)
    assert path.read_bytes() == written
    assert [each.name for each in tmp_path.iterdir()] == ["momentum.yaml"]


def test_a_starter_in_a_clone_points_to_the_checked_in_schema(tmp_path: Path) -> None:
    """The editor line of a starter leads from its place to docs/runspec.schema.json."""
    (tmp_path / "docs").mkdir()
    shutil.copy(PROJECT / "docs" / "runspec.schema.json", tmp_path / "docs")
    (tmp_path / "specs" / "mine").mkdir(parents=True)
    path = tmp_path / "specs" / "mine" / "first.yaml"
    _run("new", path)

    assert path.read_text().splitlines()[0] == "# yaml-language-server: $schema=../../docs/runspec.schema.json"


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (["--name", "../escape"], IdUnsafe),
        (["--name", "a\nmode: paper"], IdUnsafe),
        (["--name", "x" * 49], SpecInvalid),
        (["no-such-folder/spec.yaml"], NotFound),
        (["two words.yaml"], IdUnsafe),
    ],
)
def test_a_starter_that_cannot_be_is_refused(
    arguments: list[str], fault: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unsafe names and missing folders are refused before anything is written."""
    monkeypatch.chdir(tmp_path)

    assert type(_run("new", *arguments).exception) is fault
    assert list(tmp_path.iterdir()) == []


def test_importing_the_commands_does_not_import_the_model() -> None:
    """`import tc.cli.spec` loads neither pydantic nor yaml nor rich, so that every command starts quickly."""
    code = "import sys, tc.cli.spec; print({'pydantic', 'yaml', 'rich'} & set(sys.modules))"
    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout

    assert printed == "set()\n"


def test_a_fault_ends_the_program_with_its_exit_code_and_without_a_traceback(tmp_path: Path) -> None:
    """`tc spec digest` of a wrong spec exits 2, with sentences on stderr and nothing on stdout."""
    wrong = _changed(tmp_path, "seed: 7", "seed: x")
    ended = subprocess.run(
        [sys.executable, "-m", "tc", "spec", "digest", str(wrong)],
        check=False,
        capture_output=True,
        text=True,
    )

    assert ended.returncode == 2
    assert ended.stdout == ""
    assert "line 5: seed: found 'x', expected a whole number" in ended.stderr
    assert "Traceback" not in ended.stderr
