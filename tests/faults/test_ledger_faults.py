"""Disks that fill up, lock files that go away and holders that stop, in the middle of a ledger's command."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from support.capabilities import needs
from support.child import finish, run_child, start_child
from support.ledger_lab import command_ids, committed, directory_of, make_ledger
from support.mounts import mounted
from tc.durable import verify_journal
from tc.errors import NotWritten, OutcomeUnknown, StorageError
from tc.risk.book import Book
from tc.risk.intent import Intent
from tc.store.ledger import PositionLedger
from tc.store.ledger_recovery import verify_ledger
from tc.store.ledger_rule import Judgment, Refused, Unlimited

pytestmark = pytest.mark.faults


class Meddling(Unlimited):
    """Does something to the ledger's files in the middle of its check."""

    def __init__(self) -> None:
        self.meddle: Callable[[], object] = lambda: None

    def judge(self, book: Book, intent: Intent) -> Judgment:
        self.meddle()
        return Judgment()


@needs("tmpfs")
def test_full_disk_in_the_middle_of_an_append(tmp_path: Path) -> None:
    """A command that does not fit is NotWritten and leaves no trace; with space again the same ledger goes on."""
    with mounted(tmp_path / "small", "-t", "tmpfs", "-o", "size=64k", "none") as root:
        with make_ledger(root) as ledger:
            book = ledger.book(now_ns=1)
            ballast = os.open(root / "ballast", os.O_WRONLY | os.O_CREAT)
            with pytest.raises(OSError, match="No space left"):  # noqa: PT012 the loop is what is tested
                while True:
                    os.write(ballast, b"x" * 512)
            os.close(ballast)
            before = directory_of(root).journal.read_bytes()
            notes = "x" * 1900
            with pytest.raises(NotWritten, match="No space left"):  # noqa: PT012 some may still fit
                for number in range(9):
                    committed(ledger.open(f"fits-{number}", "BTC.X", "S", "BUY", "1", "100", notes=notes))
                    before, book = directory_of(root).journal.read_bytes(), ledger.book(now_ns=1)
            assert directory_of(root).journal.read_bytes() == before
            assert ledger.book(now_ns=1) == book
            (root / "ballast").unlink()
            committed(ledger.open("later", "BTC.X", "S", "BUY", "1", "100", notes=notes))
        assert verify_journal(directory_of(root).journal, anchor=directory_of(root).anchor).problem is None


@pytest.mark.parametrize("how", ["removed", "replaced"])
def test_lock_file_lost_in_the_middle_of_a_command(tmp_path: Path, how: str) -> None:
    """A lock file removed or replaced between check and act stops the command before anything is written."""
    rules = Meddling()
    directory = directory_of(tmp_path)
    with make_ledger(tmp_path, rules=rules) as ledger:

        def lose_the_lock() -> None:
            directory.lock.unlink()
            if how == "replaced":
                directory.lock.touch()

        before = directory.journal.read_bytes()
        rules.meddle = lose_the_lock
        with pytest.raises(StorageError, match="removed or replaced"):
            ledger.open("1", "BTC.X", "S", "BUY", "1", "100")
        assert directory.journal.read_bytes() == before
    with PositionLedger.load(directory) as ledger:
        committed(ledger.open("1", "BTC.X", "S", "BUY", "1", "100"))


def test_journal_changed_in_the_middle_of_a_command(tmp_path: Path) -> None:
    """A foreign write between check and act is noticed before the ledger writes."""
    rules = Meddling()
    directory = directory_of(tmp_path)
    with make_ledger(tmp_path, rules=rules) as ledger:

        def write() -> None:
            with directory.journal.open("ab") as journal:
                journal.write(b"{}\n")

        rules.meddle = write
        with pytest.raises(NotWritten, match="not ours alone"):
            ledger.open("1", "BTC.X", "S", "BUY", "1", "100")


def test_entry_that_reads_back_differently_is_not_acknowledged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry that the file gives back differently is OutcomeUnknown, and the ledger decides nothing more."""
    with make_ledger(tmp_path) as ledger:
        real = os.pread
        monkeypatch.setattr(os, "pread", lambda *arguments: real(*arguments).replace(b'"100"', b'"900"'))
        with pytest.raises(OutcomeUnknown, match="not read back"):
            ledger.open("1", "BTC.X", "S", "BUY", "1", "100")
        monkeypatch.undo()
        with pytest.raises(OutcomeUnknown):
            ledger.close("2", "BTC.X", "S", "100")
    with PositionLedger.load(directory_of(tmp_path)) as ledger:
        assert committed(ledger.open("1", "BTC.X", "S", "BUY", "1", "100")).seq == 3


def test_interrupted_command_decides_nothing_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After Ctrl-C between append and fold the ledger refuses until it is loaded again, and nothing is lost."""
    with make_ledger(tmp_path) as ledger:

        def interrupt(*_arguments: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(ledger._projection, "apply", interrupt)
        with pytest.raises(KeyboardInterrupt):
            ledger.open("1", "BTC.X", "S", "BUY", "1", "100")
        monkeypatch.undo()
        with pytest.raises(StorageError, match="interrupted in a command; load it again"):
            ledger.book()
    with PositionLedger.load(directory_of(tmp_path)) as ledger:
        assert len(ledger.book().rows) == 1


def test_stopped_holder_is_named(tmp_path: Path) -> None:
    """A holder that is stopped keeps the ledger; others are told who it is and what to do, and go on after it."""
    with make_ledger(tmp_path, timeout_s=0.05) as ledger:
        holder = start_child("lock_holder.py", directory_of(tmp_path).lock)
        assert holder.stdout is not None
        assert holder.stdout.readline().startswith("held")
        holder.send_signal(signal.SIGSTOP)
        os.waitpid(holder.pid, os.WUNTRACED)
        refused = ledger.open("1", "BTC.X", "S", "BUY", "1", "100")
        assert isinstance(refused, Refused)
        assert refused.code == "LEDGER_BUSY"
        assert f"pid {holder.pid}" in refused.detail
        assert "it is stopped: continue or kill it" in refused.detail
        holder.send_signal(signal.SIGCONT)
        finish(holder)
        committed(ledger.open("1", "BTC.X", "S", "BUY", "1", "100"))


def test_child_of_a_killed_holder_does_not_keep_the_ledger(tmp_path: Path) -> None:
    """A process that forked while it held the ledger and was killed leaves it free, though its child lives on."""
    with make_ledger(tmp_path, timeout_s=2) as ledger:
        holder = start_child("lock_holder.py", directory_of(tmp_path).lock)
        assert holder.stdin is not None
        assert holder.stdout is not None
        assert holder.stdout.readline().startswith("held")
        holder.stdin.write("fork\n")
        holder.stdin.flush()
        child = int(holder.stdout.readline())
        holder.kill()
        holder.wait()
        committed(ledger.open("1", "BTC.X", "S", "BUY", "1", "100"))
        os.kill(child, signal.SIGKILL)
        holder.communicate()


def test_child_forked_in_the_middle_of_a_command_writes_nothing(tmp_path: Path) -> None:
    """Of a process that forks between check and act the child is refused, and the parent's command happens once."""
    make_ledger(tmp_path).disconnect()
    refused = 7
    done = run_child("ledger_fork.py", tmp_path)
    assert done.returncode == refused, done.stderr
    assert command_ids(directory_of(tmp_path).journal) == ["ledger-opened", "capital", "open", "close"]
    assert verify_ledger(directory_of(tmp_path)).problem is None
