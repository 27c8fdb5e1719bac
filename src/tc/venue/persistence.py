"""The exchange on disk: one journal line an event, and the state rebuilt from them after any death."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from tc.clock import SYSTEM_CLOCK, Clock
from tc.durable import FileLock, Journal, make_directory, read_entries, sweep_temporaries
from tc.errors import JournalCorrupt
from tc.venue.exchange.codec import decode, encode, kind_of
from tc.venue.exchange.event import Event
from tc.venue.exchange.state import State

JOURNAL_FILE = "venue.jsonl"
LOCK_FILE = "venue.lock"
FORMAT = "tc.venue/v1"
_CREATED = "VenueCreated"
_NS = 1_000_000


class VenueJournal:
    """The journal of one venue, locked for life: a second venue on the same directory is refused.

    `record` hands events to the kernel before it returns: what was answered after it survives the death of
    this process. `sync` makes it survive a power cut too, for all events at once.
    """

    def __init__(self, directory: Path, lock: FileLock, journal: Journal, state: State) -> None:
        self.directory = directory
        self.state = state
        self._lock = lock
        self._journal = journal

    @classmethod
    def open(cls, directory: Path, *, clock: Clock = SYSTEM_CLOCK) -> Self:
        """Open the venue in `directory`, or create it there.

        Raises:
            LockTimeout: another venue runs there.
            Corrupt: its journal is damaged, or is none of a venue.
            StorageError: the disk did not do what it must.
        """
        make_directory(directory)
        lock = FileLock(directory / LOCK_FILE, purpose="loopback venue", timeout_s=0)
        lock.acquire()
        try:
            sweep_temporaries(directory)
            path = directory / JOURNAL_FILE
            if path.exists():
                journal = Journal.open(path, clock=clock)
                state = replay(path)
            else:
                journal = Journal.create(path, clock=clock)
                journal.append(_CREATED, clock.now_ns(), {"format": FORMAT})
                state = State()
        except BaseException:
            lock.release()
            raise
        return cls(directory, lock, journal, state)

    def record(self, events: Iterable[Event]) -> None:
        """Write events out of this process; they are already applied to the state."""
        for event in events:
            self._journal.add(kind_of(event), event.ts * _NS, encode(event))
        self._journal.flush()

    def sync(self) -> None:
        """Make everything recorded survive a power cut; may be called from another thread."""
        self._journal.sync()

    def close(self) -> None:
        """Sync and give the directory up."""
        try:
            self._journal.close()
        finally:
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def replay(path: Path) -> State:
    """Return the state that the events of a venue's journal lead to.

    Raises:
        JournalCorrupt: it is damaged, or is no venue's journal.
    """
    state = State()
    for entry in read_entries(path):
        if entry.seq == 1 and (entry.type != _CREATED or entry.payload().get("format") != FORMAT):
            raise JournalCorrupt(path, 1, 0, f"it does not begin with {_CREATED} of {FORMAT}")
        event = decode(entry.type, entry.data)
        if event is not None:
            state.apply(event)
    return state
