"""Signs of life: a file that others look at, and that holds up nobody."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from support.capabilities import needs
from support.loop_disk import loop_disk
from tc.durable import BeatFile

WRITER = """
import sys
from pathlib import Path
from tc.durable import BeatFile
beats = BeatFile.create_in_memory(Path(sys.argv[1]))
beats.write(1, 5)
print("ready", flush=True)
sys.stdin.readline()
beats.write(1, 6)
print("written", flush=True)
sys.stdin.readline()
"""


@pytest.mark.faults
@needs("ext4", "freezing")
def test_beats_in_memory_wait_for_no_disk(tmp_path: Path) -> None:
    """While the disk of their folder hangs they are written and read; in a page of the disk the store would wait."""
    with loop_disk(tmp_path, "ext4") as disk:
        path = disk.root / "beats"
        command = [sys.executable, "-c", WRITER, str(path)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            subprocess.run(["fsfreeze", "-f", str(disk.root)], check=True)
            try:
                process.stdin.write("\n")
                process.stdin.flush()
                pause = subprocess.run(
                    ["timeout", "5", "head", "-1"], stdin=process.stdout, capture_output=True, check=False
                )
                assert pause.stdout == b"written\n"
                assert BeatFile.look(path).read(1) == 6
            finally:
                subprocess.run(["fsfreeze", "-u", str(disk.root)], check=True)
                process.kill()


def test_another_writer_has_a_file_of_its_own_and_leaves_none_behind(tmp_path: Path) -> None:
    """Who looks now sees the newest; what the first has mapped stays; forgotten, nothing is left in memory."""
    path = tmp_path / "beats"
    first = BeatFile.create_in_memory(path)
    first.write(1, 5)
    early = BeatFile.look(path)
    second = BeatFile.create_in_memory(path)
    second.write(1, 6)
    assert (early.read(1), BeatFile.look(path).read(1)) == (5, 6)
    for each in (first, second):
        each.forget()
        assert each.path == path or not each.path.exists()
        each.close()
    early.close()
