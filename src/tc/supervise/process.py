"""Start a child of our own, or this very process anew."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

HASH_SEED_VARIABLE = "PYTHONHASHSEED"
HASH_SEED = "0"


@dataclass(frozen=True)
class ChildResult:
    """How a child ended and what it said."""

    exit_code: int
    stdout: str
    stderr: str


def restart_with_fixed_hash_seed() -> None:
    """Become the same command with a fixed hash seed; return at once where it is fixed already.

    Python randomizes the order of sets of strings in every process. The engine keeps order ids in sets, so without this
    two runs of one spec could cancel the same orders in another sequence.
    """
    if os.environ.get(HASH_SEED_VARIABLE) == HASH_SEED:
        return
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(sys.executable, sys.orig_argv, {**os.environ, HASH_SEED_VARIABLE: HASH_SEED})  # noqa: S606 - ourselves


def run_tc(arguments: Sequence[str], *, timeout_s: float | None = None) -> ChildResult:
    """Run `tc` with `arguments` in a fresh interpreter and return how it ended."""
    done = subprocess.run(  # noqa: S603 - our own interpreter and module
        [sys.executable, "-P", "-m", "tc", *arguments],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
        stdin=subprocess.DEVNULL,
        env={**os.environ, HASH_SEED_VARIABLE: HASH_SEED},
    )
    return ChildResult(done.returncode, done.stdout, done.stderr)
