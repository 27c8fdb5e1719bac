"""What long work says of itself must not end it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

WORK = """
from tc.cli.output import telling
with telling(is_quiet=False) as tell:
    tell("disk-full", "the fault is in")
    tell("disk-full", "the fault is out")
print("rolled back")
"""


def test_a_terminal_that_takes_no_more_ends_no_drill_with_its_fault_still_in() -> None:
    """Where stderr is full or gone the work goes on to its end, and says so by its exit code."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([sys.executable, "-P", "-c", WORK], stdout=subprocess.PIPE, stderr=full, check=False)
    assert (done.returncode, done.stdout) == (0, b"rolled back\n")


def test_each_thing_is_one_line_where_nobody_watches() -> None:
    """A log gets plain lines as they happen."""
    done = subprocess.run([sys.executable, "-P", "-c", WORK], capture_output=True, text=True, check=True)
    assert done.stderr == "disk-full: the fault is in\ndisk-full: the fault is out\n"
