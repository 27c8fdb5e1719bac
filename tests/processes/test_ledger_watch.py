"""`tc ledger watch` as a real process: it follows what others commit, only reads the ledger, and ends when asked."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from support.capabilities import needs
from support.ledger_damage import derived_bytes, losses, twelve_entries, without_last
from support.ledger_lab import committed
from tc.store.derived import high_watermark_of
from tc.store.ledger import PositionLedger
from tc.store.ledger_directory import DERIVED, LedgerDirectory
from tc.store.ledger_recovery import restore

TC = [sys.executable, "-P", "-m", "tc"]
CHANGING = "open,openat,creat,truncate,rename,renameat,renameat2,unlink,unlinkat,link,linkat"
WRITING = re.compile(r"O_WRONLY|O_RDWR|O_APPEND|O_TRUNC|O_CREAT")


@pytest.fixture
def directory(tmp_path: Path) -> LedgerDirectory:
    """A ledger of twelve entries with its derived files."""
    return twelve_entries(tmp_path)


@contextmanager
def watching(directory: LedgerDirectory, *options: str, under: tuple[str, ...] = ()) -> Iterator[subprocess.Popen[str]]:
    """Run a watch of the ledger; one that still runs at the end is killed."""
    root = ["--account", "A", "--runtime-root", str(directory.path.parents[1])]
    process = subprocess.Popen(
        [*under, *TC, "ledger", "watch", *root, *options],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def told(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Wait for the next line of a watch with --json and return its facts."""
    assert process.stdout is not None
    facts: dict[str, Any] = json.loads(process.stdout.readline())
    return facts


def test_commit_of_another_process_is_picked_up(directory: LedgerDirectory) -> None:
    """An entry that this process commits is in the files when the watch says so; SIGTERM then ends it with 0."""
    with watching(directory, "--json") as process:
        first = told(process)
        assert (first["entries"], first["written"], first["problem"]) == (12, [], None)
        with PositionLedger.load(directory) as ledger:
            committed(ledger.deposit("new", "1"))
        second = told(process)
        assert (second["entries"], second["written"]) == (13, list(DERIVED))
        for data in derived_bytes(directory).values():
            head = high_watermark_of(data)
            assert head is not None
            assert (head.seq, head.hash) == (13, second["head"])
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate()
        assert (process.returncode, output, errors) == (0, "", "")


def test_deleted_file_comes_back_and_ctrl_c_ends_the_watch(directory: LedgerDirectory) -> None:
    """A derived file that goes missing comes back with its bytes, told in one line; Ctrl-C then ends it with 130."""
    right = derived_bytes(directory)
    with watching(directory) as process:
        assert process.stdout is not None
        assert process.stdout.readline().endswith("Z 12 entries; every file was right\n")
        directory.derived("equity.json").unlink()
        assert process.stdout.readline().endswith("Z 12 entries; equity.json\n")
        assert derived_bytes(directory) == right
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate()
        assert process.returncode == 130, errors
        assert "Traceback" not in errors


def test_damage_does_not_end_the_watch(directory: LedgerDirectory, tmp_path: Path) -> None:
    """A cut ledger is told once and recorded once, the watch stays, and goes on with the copy that is put back."""
    copy = tmp_path / "copy.jsonl"
    copy.write_bytes(directory.journal.read_bytes())
    right = derived_bytes(directory)
    with watching(directory, "--json") as process:
        assert told(process)["entries"] == 12
        without_last(directory)
        assert "1 entry is missing" in told(process)["problem"]
        assert derived_bytes(directory) == right
        assert len(losses(directory)) == 1
        restore(directory, copy)
        assert told(process)["entries"] == 12
        assert derived_bytes(directory) == right
        process.terminate()
        assert process.wait() == 0


def test_watch_starts_on_a_damaged_ledger(directory: LedgerDirectory) -> None:
    """A ledger that is damaged before the watch starts is said on stderr, and the watch waits for its restoration."""
    without_last(directory)
    with watching(directory) as process:
        assert process.stderr is not None
        assert "1 entry is missing" in process.stderr.readline()
        process.terminate()
        assert process.wait() == 0


def test_account_without_a_ledger_is_not_watched(directory: LedgerDirectory) -> None:
    """Watching an account that has no ledger is bad input, and nothing is made for it."""
    shutil.rmtree(directory.path)
    with watching(directory) as process:
        _, errors = process.communicate()
        assert process.returncode == 2
        assert "tc ledger create --account A" in errors
    assert not directory.path.exists()


@needs("strace")
def test_watch_opens_the_ledger_for_reading_alone(directory: LedgerDirectory, tmp_path: Path) -> None:
    """By its system calls a watch that rebuilds all files opens the journal read-only and leaves its name alone."""
    log = tmp_path / "calls"
    tracing = ("strace", "-f", "-qq", "-s", "4096", "-e", f"trace={CHANGING}", "-o", str(log))
    before = directory.journal.stat()
    with watching(directory, "--json", under=(*tracing, "sh", "-c", 'echo $$; exec "$@"', "sh")) as process:
        assert process.stdout is not None
        watch = int(process.stdout.readline())
        assert told(process)["written"] == []
        for path in directory.derived_files:
            path.unlink()
        written: set[str] = set()
        while written != set(DERIVED):  # one cycle, or two where it began between the first and the last removal
            written |= set(told(process)["written"])
        subprocess.run(["kill", str(watch)], check=True)
        assert process.wait() == 0
    calls = calls_on(log, directory.journal)
    assert len(calls) >= 2
    assert all("O_RDONLY" in call and not WRITING.search(call) for call in calls), calls
    after = directory.journal.stat()
    assert (after.st_ino, after.st_size, after.st_ctime_ns) == (before.st_ino, before.st_size, before.st_ctime_ns)


@needs("strace")
def test_opening_for_writing_would_have_been_seen(directory: LedgerDirectory, tmp_path: Path) -> None:
    """A command that writes to the ledger, the naive way to keep files current, shows in the same trace."""
    log = tmp_path / "calls"
    options = ["--account", "A", "--runtime-root", str(directory.path.parents[1])]
    command = ["strace", "-f", "-qq", "-s", "4096", "-e", f"trace={CHANGING}", "-o", str(log)]
    subprocess.run([*command, *TC, "ledger", "deposit", "1", *options], check=True, capture_output=True)
    assert any("O_RDWR" in call for call in calls_on(log, directory.journal))


def calls_on(log: Path, path: Path) -> list[str]:
    """Return the traced calls that name exactly this file."""
    return [line for line in log.read_text().splitlines() if f'"{path}"' in line]


def test_watch_loads_no_engine(directory: LedgerDirectory) -> None:
    """A watch that has made a cycle has imported no engine, pandas, pydantic or rich."""
    code = (
        "import os, signal, sys\nfrom tc.cli import ledger_watch\nfrom tc.clock import SystemClock\n"
        "class Ending(SystemClock):\n"
        "    def sleep(self, seconds): os.kill(os.getpid(), signal.SIGTERM)\n"
        "ledger_watch.SYSTEM_CLOCK = Ending()\n"
        "from tc.cli.main import main\n"
        f"root = {str(directory.path.parents[1])!r}\n"
        "sys.argv = ['tc', 'ledger', 'watch', '--account', 'A', '--runtime-root', root]\n"
        "try: main()\nexcept SystemExit as end: assert not end.code, end.code\n"
        "heavy = {'nautilus_trader', 'pandas', 'pyarrow', 'numpy', 'pydantic', 'rich', 'yaml'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    answer = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    assert "12 entries; every file was right" in answer.stdout
