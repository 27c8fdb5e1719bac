"""Starts the child programs of tests/support/children, the package importable and nothing else inherited."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src"
CHILDREN = Path(__file__).parent / "children"
RACES_MAX = 20
_CACHE = tempfile.mkdtemp(prefix="tc-test-bytecode-")  # compiled once a session, not once a child
atexit.register(shutil.rmtree, _CACHE, ignore_errors=True)


def child_command(program: str, *arguments: object) -> list[str]:
    """Return the command that runs `program` of the children folder."""
    return [sys.executable, "-S", str(CHILDREN / program), *map(str, arguments)]


def child_environment() -> dict[str, str]:
    """Return an environment in which two runs of a child make the same system calls."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONHASHSEED": "0",
        "PYTHONPATH": str(SOURCE),
        "PYTHONPYCACHEPREFIX": _CACHE,
    }


def start_child(program: str, *arguments: object, **options: object) -> subprocess.Popen[str]:
    """Start a child with its standard input and output piped as text."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    return subprocess.Popen(  # type: ignore[call-overload, no-any-return]
        child_command(program, *arguments), env=child_environment(), text=True, **(pipes | options)
    )


def start_together(commands: list[tuple[object, ...]]) -> list[subprocess.Popen[str]]:
    """Start children that each say "ready" and wait for a line; let all go at once when all are ready."""
    children = [start_child(str(program), *arguments) for program, *arguments in commands]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    return children


def raced[T](folder: Path, race: Callable[[Path], T], is_seen: Callable[[T], bool]) -> T:
    """Return what came of a race that shows what it is for; on a busy machine one may end before the next begins."""
    for number in range(RACES_MAX):
        (folder / f"race-{number}").mkdir()
        found = race(folder / f"race-{number}")
        if is_seen(found):
            break
    return found


def finish(child: subprocess.Popen[str]) -> str:
    """Wait for a child that must succeed and return what else it said."""
    output, _ = child.communicate()
    assert child.returncode == 0, f"{child.args} ended with {child.returncode}"
    return str(output)


def run_child(program: str, *arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    """Run a child to its end; its exit code is for the test to judge."""
    return subprocess.run(
        child_command(program, *arguments),
        env=child_environment(),
        capture_output=True,
        text=True,
        check=False,
        **options,  # type: ignore[call-overload]
    )
