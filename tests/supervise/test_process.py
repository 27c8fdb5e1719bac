"""Ending a process for good: also one that waits for a disk that does not answer."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from support.capabilities import needs
from support.loop_disk import loop_disk
from support.venue_process import until
from tc.durable import process_start_time
from tc.supervise.process import end_process, fork_apart

WRITER = """
import sys, time
stream = open(sys.argv[1], "ab", buffering=0)
print("ready", flush=True)
sys.stdin.readline()
stream.write(b"x")
"""


@pytest.mark.faults
@needs("freezing")
def test_a_process_that_waits_for_a_disk_is_ended_without_it(tmp_path: Path) -> None:
    """The kernel keeps it until the disk answers; it counts as gone at once, and runs no instruction more."""
    with loop_disk(tmp_path, "ext4") as disk:
        command = [sys.executable, "-c", WRITER, str(disk.root / "file")]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdout.readline()
            start = process_start_time(process.pid)
            assert start is not None
            subprocess.run(["fsfreeze", "-f", str(disk.root)], check=True)
            try:
                process.stdin.write(b"\n")
                process.stdin.flush()
                until(lambda: Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "D")
                began = time.monotonic()
                assert end_process(process.pid, start, 0)
                assert time.monotonic() - began < 10
                assert process.poll() is None, "the kernel has it still"
            finally:
                subprocess.run(["fsfreeze", "-u", str(disk.root)], check=True)
        assert process.returncode in (-9, -15)


def test_what_is_forked_apart_says_something_and_holds_no_pipe_of_ours() -> None:
    """A command that started it is over for whoever reads its output, though it lives on."""
    code = (
        "import time\nfrom tc.supervise.process import fork_apart\n"
        "def work(say):\n    say(b'here')\n    time.sleep(60)\n"
        "pid, its = fork_apart(work)\nprint(pid, its.recv(9).decode())\n"
    )
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert time.monotonic() - began < 30
    pid, said = done.stdout.split()
    assert said == "here"
    assert process_start_time(int(pid)) is not None
    os.kill(int(pid), 9)


def test_what_is_forked_apart_ends_where_its_work_fails() -> None:
    """It never goes on as a second copy of whoever forked it."""

    def work(_say: object) -> None:
        raise ValueError

    pid, its = fork_apart(work)
    assert its.recv(9) == b""
    its.close()
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1


def test_a_child_apart_holds_nothing_of_ours_when_it_outlives_us() -> None:
    """Whoever reads what we say is told that we are over, though the child lives on."""
    code = (
        "from tc.supervise.child import Child\n"
        "nap = 'import time; time.sleep(60)'\n"
        "print(Child(['-n', '1', '-r', '1', nap], 'timeit', is_apart=True).pid)\n"
    )
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert time.monotonic() - began < 30
    assert process_start_time(int(done.stdout)) is not None
    os.kill(int(done.stdout), 9)


def test_what_a_child_apart_says_before_it_fails_is_ours_to_say() -> None:
    """Why it was never ready is on our standard error before we end."""
    code = (
        "from tc.supervise.child import Child\n"
        "from tc.errors import ChildFailed\n"
        "try:\n    Child(['nonsense'], is_apart=True).wait_for('ready', 30)\nexcept ChildFailed:\n    pass\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "nonsense" in done.stderr
