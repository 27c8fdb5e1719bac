"""The command line as a whole: every command helps, is documented, and starts without the engine."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from support.market import PROJECT
from support.run_lab import Lab
from support.sealed_run import make_sealed_run
from tc.cli.app import build_app
from tc.cli.drill import ALL
from tc.drills.catalog import DRILLS
from tc.store.run_directory import RUN_SPEC

SHOW_SEALED = ("journal", "show", "sealed", "--artifacts-root")


def commands() -> list[str]:
    """Return every command with its group."""
    root: Any = get_command(build_app([]))
    names = []
    for name, command in root.commands.items():
        names += [f"{name} {one}" for one in command.commands] if hasattr(command, "commands") else [name]
    return names


def tc(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `tc`."""
    return subprocess.run([sys.executable, "-P", "-m", "tc", *arguments], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("command", commands())
def test_every_command_helps_and_is_documented(command) -> None:
    """`--help` works for every command as it is loaded alone, and docs/commands.md has a row for it."""
    words = command.split()
    done = CliRunner().invoke(build_app(words), [*words, "--help"], prog_name="tc")
    assert done.exit_code == 0, done.output
    assert f"Usage: tc {command} " in done.stdout
    assert f"| `tc {command}" in (PROJECT / "docs/commands.md").read_text()


def test_every_documented_command_exists() -> None:
    """README and docs name no command that is not there."""
    known = {*commands(), *(f"drill {name}" for name in (ALL, *DRILLS))}  # a drill's name stands for `run` with it
    pages = [PROJECT / "README.md", *(PROJECT / "docs").glob("*.md")]
    for page in pages:
        for words in re.findall(r"`tc ([a-z]+(?: [a-z][a-z-]*)?)", page.read_text()):
            first = words.split()[0]
            groups = {command.split()[0] for command in known}
            assert words in known or first in known or words in groups, f"{page.name}: tc {words}"


def test_every_link_of_the_readme_leads_somewhere() -> None:
    """Relative links and pictures of the README exist."""
    text = (PROJECT / "README.md").read_text()
    for target in re.findall(r"\]\((?!http)([^)#]+)", text):
        assert (PROJECT / target).exists(), target


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["runs", "list"],
        ["journal", "tail", "sealed"],
        ["runs", "show", "sealed"],
        ["status"],
        ["status", "sealed"],
        ["metrics", "export"],
        ["metrics", "export", "sealed"],
    ],
)
def test_commands_that_need_no_engine_never_import_it(arguments, tmp_path) -> None:
    """Listing and tailing load neither the engine nor pandas, pyarrow, numpy, pydantic or rich."""
    make_sealed_run(tmp_path)
    code = (
        "import sys; sys.argv = ['tc', *sys.argv[1:]]\n"
        "from tc.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'nautilus_trader', 'pandas', 'pyarrow', 'numpy', 'pydantic', 'rich', 'yaml'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    roots = ["--artifacts-root", str(tmp_path / "artifacts")] if arguments != ["--help"] else []
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, *arguments, *roots], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_one_damaged_run_hides_no_other(tmp_path) -> None:
    """A listing shows a run it cannot read as unknown, with the reason, among the others."""
    make_sealed_run(tmp_path, "good")
    bad = make_sealed_run(tmp_path, "bad")
    bad.path.chmod(0o755)
    bad.file("metadata.json").chmod(0o644)
    bad.file("metadata.json").write_bytes(b"\xff{")
    listed = Lab(tmp_path).listed()
    assert listed["good"]["status"] == "completed"
    assert listed["bad"]["status"] == "unknown"
    assert "damaged" in listed["bad"]["reason"]


def test_a_reader_that_goes_away_is_no_error(tmp_path) -> None:
    """`tc journal show … | head` ends quietly."""
    make_sealed_run(tmp_path, entries=20_000)
    command = [sys.executable, "-P", "-m", "tc", *SHOW_SEALED, str(tmp_path / "artifacts")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as shown:
        assert shown.stdout is not None
        assert shown.stderr is not None
        shown.stdout.readline()
        shown.stdout.close()
        assert shown.stderr.read() == b""
        assert shown.wait() == 0


def test_ctrl_c_inside_a_command_is_said(tmp_path) -> None:
    """An interrupted command ends with 130 and says so, wherever it was."""
    make_sealed_run(tmp_path, entries=20_000)
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from tc.cli.main import main\n"
        "main()\n"
    )
    command = [sys.executable, "-P", "-c", code, *SHOW_SEALED, str(tmp_path / "artifacts")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as shown:
        assert shown.stdout is not None
        shown.stdout.readline()  # and no more: it waits for its reader
        shown.send_signal(signal.SIGINT)
        _, words = shown.communicate(timeout=60)
        assert (shown.returncode, words) == (130, "tc: interrupted\n")


def test_a_disk_that_takes_no_words_changes_no_exit_code() -> None:
    """Where stderr is a file on a full disk, a command ends as it would have: its supervisor goes by that."""
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-P", "-m", "tc", "runs", "show", "nothing"]
        assert subprocess.run(command, stderr=full, stdout=subprocess.DEVNULL, check=False).returncode == 2


def test_the_journal_commands_agree(tmp_path) -> None:
    """show, tail and verify read the same entries; a broken chain is exit 1 from verify and exit 5 from show."""
    run = make_sealed_run(tmp_path)
    lab = Lab(tmp_path)
    assert (
        lab.tc("journal", "show", "sealed", "--from", "28").stdout
        == lab.tc("journal", "tail", "sealed", "-n", "3").stdout
    )
    assert lab.tc("journal", "verify", "sealed").returncode == 0
    run.path.chmod(0o755)
    path = run.file("journal.jsonl")
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[200] ^= 1
    path.write_bytes(data)
    broken = lab.tc("journal", "verify", "sealed")
    assert broken.returncode == 1
    assert "seq 1" in broken.stdout
    assert lab.tc("journal", "show", "sealed").returncode == 5


def test_doctor_says_what_this_machine_can_do() -> None:
    """`tc doctor` exits 0 on a machine that can run."""
    done = tc("doctor")
    assert done.returncode == 0, done.stdout
    assert "nautilus_trader" in done.stdout


def test_a_wrong_command_is_exit_2() -> None:
    """Unknown commands and options exit 2 with the usage."""
    assert tc("nonsense").returncode == 2
    assert tc("runs", "list", "--nonsense").returncode == 2


def test_the_spec_is_kept_byte_for_byte(tmp_path) -> None:
    """run_spec.yaml is never rewritten by listing or showing."""
    run = make_sealed_run(tmp_path)
    before = run.file(RUN_SPEC).read_bytes()
    Lab(tmp_path).listed()
    assert run.file(RUN_SPEC).read_bytes() == before
