"""The hands that a drill's own processes carry: what fails is the system call itself, and nothing before its time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tc.drills.inside import HANDS, can_fail_syncs, can_step_clock

CLOCK = """
import sys, time
from pathlib import Path
from nautilus_trader.common.component import LiveClock
from tc.drills.inside import carry_clock

def off():
    return round(time.time() - began - (time.monotonic() - since)), round(LiveClock().timestamp() - time.time())

folder = Path(sys.argv[1])
carry_clock(folder)
began, since = time.time(), time.monotonic()
found = [off()]
for seconds in (-5, 5, 0):
    (folder / "clock").write_text(str(seconds))
    deadline = time.monotonic() + 10
    while off()[0] != seconds and time.monotonic() < deadline:
        time.sleep(0.01)
    found.append(off()[0])
print(found)
"""

SYNC = """
import os, sys, threading, time
from pathlib import Path
from tc.drills.inside import carry_sync

folder = Path(sys.argv[1])
carry_sync(folder)
file = os.open(folder / "file", os.O_CREAT | os.O_RDWR)
(folder / "sync").write_text("1")  # another process is meant
time.sleep(0.3)
os.fsync(file)
(folder / "sync").write_text(str(os.getpid()))
deadline = time.monotonic() + 10
while time.monotonic() < deadline:
    try:
        os.fsync(file)
    except OSError:
        break
    time.sleep(0.01)
os.write(file, b"x")
for sync in (os.fsync, os.fdatasync):
    try:
        sync(file)
    except OSError as error:
        print(error.errno)
"""


def said(code: str, folder: Path) -> str:
    """Run a child and return what it says."""
    words = [sys.executable, "-P", "-c", code, str(folder)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.skipif(not can_step_clock(), reason="x86_64 alone")
def test_a_clock_is_off_by_what_the_drill_says_for_python_and_the_engine_alike(tmp_path: Path) -> None:
    """Not at all at first, then behind, ahead, and right again; the monotonic clock goes on as ever."""
    assert said(CLOCK, tmp_path) == "[(0, 0), -5, 5, 0]"


@pytest.mark.skipif(not can_fail_syncs(), reason="x86_64 and aarch64 alone")
def test_syncs_fail_with_eio_in_the_process_that_is_named_alone(tmp_path: Path) -> None:
    """Another's pid changes nothing; its own, and both syncs fail while writes go on."""
    assert said(SYNC, tmp_path) == "5\n5"


def test_the_venue_carries_no_hand() -> None:
    """Its clock and its disk are another machine's."""
    assert all("venue" not in commands for commands in HANDS.values())
