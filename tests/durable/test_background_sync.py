"""Who syncs in the background acknowledges what was written when it began, and hides no failure."""

from __future__ import annotations

import errno
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tc.durable import BackgroundSync, Journal
from tc.errors import OutcomeUnknown, StorageError

INTERPRETERS = ("its own", "ours")


@contextmanager
def begun_by(journal: Journal) -> Iterator[tuple[BackgroundSync, int]]:
    """Give what syncs the journal, and the counter by which it tells."""
    ended = os.eventfd(0, os.EFD_CLOEXEC)
    background = BackgroundSync(journal, ended)
    yield background, ended
    background.close()
    os.close(ended)


def said(ended: int) -> int:
    """Return what it told, and fail where it tells nothing."""
    poll = select.poll()
    poll.register(ended, select.POLLIN)
    assert poll.poll(10_000)
    return os.eventfd_read(ended)


@pytest.fixture(params=INTERPRETERS)
def journal(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Journal:
    """Return a journal that is synced by a thread of either kind."""
    if request.param == "ours":
        monkeypatch.setattr("tc.durable.background_sync._is_served_apart", lambda *_: False)
    return Journal.create(tmp_path / "j.jsonl")


def test_what_was_written_when_it_began_is_acknowledged(journal: Journal) -> None:
    """Entries that are written while the disk works are not, and the next sync takes them."""
    with begun_by(journal) as (background, ended):
        for seq in (1, 2, 3):
            journal.add("One", seq, {})
            journal.flush()
            background.begin()
            journal.add("Late", seq, {})
            assert background.end(said(ended)).seq == 2 * seq - 1
            journal.flush()


def test_a_failure_is_told_once_and_the_journal_refuses_from_then_on(journal: Journal) -> None:
    """As after a failed sync of its own: nothing is tried again."""
    with begun_by(journal) as (background, ended):
        journal.add("One", 1, {})
        journal.flush()
        background.begin()
        assert said(ended) == 1
        with pytest.raises(OutcomeUnknown, match=os.strerror(errno.EIO)):
            background.end(1 + errno.EIO)
        for again in (background.begin, journal.sync, lambda: background.end(1)):
            with pytest.raises(OutcomeUnknown, match=os.strerror(errno.EIO)):
                again()


def test_an_error_of_the_system_is_told_by_its_number(journal: Journal) -> None:
    """Of a descriptor that cannot be synced, a pipe's in the place of the file's, it says why."""
    with begun_by(journal) as (background, ended):
        reading, writing = os.pipe()
        os.dup2(writing, background._descriptor)
        background.begin()
        assert said(ended) == 1 + errno.EINVAL
        os.close(reading)
        os.close(writing)


def test_closing_waits_for_what_was_begun(journal: Journal) -> None:
    """What was asked for right before is still done, and told to whoever looks."""
    with begun_by(journal) as (background, _ended):
        journal.add("One", 1, {})
        journal.flush()
        background.begin()
    assert journal.acknowledge().seq == 1


def test_it_keeps_off_the_processor_of_whoever_asks(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it may run on another one; of a single processor it is not kept off."""
    if len(os.sched_getaffinity(0)) == 1:
        return
    with begun_by(journal) as (background, ended):
        for here in sorted(os.sched_getaffinity(0)):
            monkeypatch.setattr(background, "_processor", lambda here=here: here)
            background.begin()
            thread = background._thread.native_id
            assert thread is not None
            assert os.sched_getaffinity(thread) == os.sched_getaffinity(0) - {here}
            said(ended)


def test_a_failure_is_not_forgotten_where_another_sync_went_well_meanwhile(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two at once that fails which is told first; what the other says acknowledges nothing any more."""
    with begun_by(journal) as (background, ended):
        journal.add("One", 1, {})
        journal.flush()
        background.begin()
        assert said(ended) == 1

        def fail_meanwhile(_descriptor: int) -> None:
            with pytest.raises(OutcomeUnknown):
                background.end(1 + errno.EIO)

        with monkeypatch.context() as patched:
            patched.setattr(os, "fdatasync", fail_meanwhile)
            with pytest.raises(OutcomeUnknown):
                journal.acknowledge()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_is_gone_is_told_and_begins_nothing(journal: Journal) -> None:
    """Whoever waits for it does not wait for ever."""
    with begun_by(journal) as (background, ended):
        spare, unreadable = os.dup(background._begun), os.open(os.devnull, os.O_WRONLY)
        os.dup2(unreadable, background._begun)
        os.eventfd_write(spare, 1)
        background._thread.join(10)
        assert said(ended) - (1 + errno.EIO) in (0, 1)  # of its own end, and of the sync if it waited for one already
        with pytest.raises(StorageError, match="has ended"):
            background.begin()
        os.dup2(spare, background._begun)
        os.close(spare)
        os.close(unreadable)


SIGNALED = """
import os, signal, sys, threading, time
from pathlib import Path
from tc.durable import BackgroundSync, Journal
signal.signal(signal.SIGUSR1, lambda *_: None)
journal, ended = Journal.create(Path(sys.argv[1])), os.eventfd(0)
background = BackgroundSync(journal, ended)
for _ in range(3):
    time.sleep(0.1)
    signal.pthread_kill(background._thread.ident, signal.SIGUSR1)
    journal.add("One", 1, {})
    journal.flush()
    background.begin()
    print(background.end(os.eventfd_read(ended)).seq)
sys.exit(5)
"""


def test_it_outlives_a_signal_and_the_end_of_a_process_that_left_it_running(tmp_path: Path) -> None:
    """The exit code is the process's own, and nothing is said."""
    words = [sys.executable, "-P", "-c", SIGNALED, str(tmp_path / "j.jsonl")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split(), done.stderr) == (5, ["1", "2", "3"], "")
