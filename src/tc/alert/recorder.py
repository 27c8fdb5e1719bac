"""The journal of alerts, written behind everybody's back: a disk that fails or hangs stops nothing but this."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tc.alert.book import ACKNOWLEDGED, ADOPTED, CLOSED, Book, Kept, Owner
from tc.clock import SYSTEM_CLOCK, Clock
from tc.durable import Entry, FileLock, Journal, make_directory
from tc.errors import AlreadyExists, BusyError, StorageError

POLL_S = 0.25
ADOPT_S = 2.0
AGAIN_S = 1.0
LOCK_S = 2.0
PENDING_MAX = 100_000  # of a disk that takes nothing for hours the oldest are let go; the fault itself is alerted
_TURN_MAX = 1_000

_Pending = tuple[str, int, dict[str, Any]]


class Recorder:
    """Appends entries on a thread of its own, and tells what others added; several processes share one journal.

    `wants` says which orphans, alerts whose desk is gone, this desk takes over; `on_adopted` is told of them, and
    `on_acknowledged` of what somebody acknowledged. `on_fault` gets a fault of the disk, None when it is over. All are
    called on the recorder's thread.
    """

    def __init__(
        self,
        path: Path,
        owner: Owner,
        *,
        wants: Callable[[Kept], bool],
        on_adopted: Callable[[list[Kept]], None],
        on_acknowledged: Callable[[set[str]], None],
        on_fault: Callable[[str | None], None],
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.path = path
        self._owner = owner
        self._wants = wants
        self._on_adopted = on_adopted
        self._on_acknowledged = on_acknowledged
        self._on_fault = on_fault
        self._clock = clock
        self._pending: deque[_Pending] = deque(maxlen=PENDING_MAX)
        self._wake = threading.Event()
        self._is_closing = False
        self._journal: Journal | None = None
        self._book = Book()
        self._size = -1
        self._adopt_at_ns = 0
        self._turn_since_ns: int | None = None
        self._thread = threading.Thread(target=self._work, name="alert journal", daemon=True)
        self._thread.start()

    @property
    def stuck_s(self) -> float:
        """How long the disk has not answered."""
        since = self._turn_since_ns
        return 0.0 if since is None else (self._clock.monotonic_ns() - since) / 1e9

    def add(self, type: str, data: dict[str, Any]) -> None:
        """Have an entry written soon. Never blocks."""
        self._pending.append((type, self._clock.now_ns(), data))
        self._wake.set()

    def close(self, timeout_s: float) -> None:
        """Say in the journal that this desk is gone, and end; what the disk does not take in time is lost."""
        if self._pending or self._journal is not None:
            self.add(CLOSED, {"owner": self._owner.as_json()})
        self._is_closing = True
        self._wake.set()
        self._thread.join(max(0.0, timeout_s))

    def _work(self) -> None:
        is_faulty = False
        while not (self._is_closing and not self._pending):
            self._wake.wait(0 if self._is_closing else POLL_S)
            self._wake.clear()
            if not self._has_work():
                continue
            self._turn_since_ns = self._clock.monotonic_ns()
            try:
                self._turn()
            except Exception as error:  # noqa: BLE001 - whatever the disk does, this thread goes on
                self._let_go()
                is_faulty = is_faulty or not isinstance(error, BusyError)
                if is_faulty:
                    self._on_fault(str(error))
                if self._is_closing:
                    break
                self._clock.sleep(AGAIN_S)
            else:
                if is_faulty:
                    is_faulty = False
                    self._on_fault(None)
            finally:
                self._turn_since_ns = None
        self._let_go()

    def _has_work(self) -> bool:
        if self._pending:
            return True
        try:
            size = self.path.stat().st_size
        except OSError:
            return False  # an idle desk needs no journal; one that is gone is noticed when there is something to add
        return size != self._size or self._clock.monotonic_ns() >= self._adopt_at_ns

    def _turn(self) -> None:
        journal = self._journal or self._open()
        batch = [self._pending[index] for index in range(min(len(self._pending), _TURN_MAX))]
        with journal.locked() as seen:
            self._book.fold(seen)
            adopted = self._adopt(journal)
            for type, ts, data in batch:
                journal.add(type, ts, data)
        self._size = self.path.stat().st_size if self.path.exists() else -1
        for type, ts, data in batch:
            self._book.apply(type, ts, data)
            self._pending.popleft()
        if self._pending:
            self._wake.set()
        acknowledged = {_alert_id(entry) for entry in seen if entry.type == ACKNOWLEDGED}
        if acknowledged:
            self._on_acknowledged(acknowledged)
        if adopted:
            self._on_adopted(adopted)

    def _adopt(self, journal: Journal) -> list[Kept]:
        # Under the lock: of two desks that see an orphan one takes it.
        now = self._clock.monotonic_ns()
        if now < self._adopt_at_ns or self._is_closing:
            return []
        self._adopt_at_ns = now + int(ADOPT_S * 1e9)
        found = [each for each in self._book.orphans(self._owner) if self._wants(each)]
        for each in found:
            data = {"alert_id": each.alert.alert_id, "owner": self._owner.as_json()}
            journal.add(ADOPTED, self._clock.now_ns(), data)
            each.owner = self._owner
        return found

    def _open(self) -> Journal:
        make_directory(self.path.parent)
        with contextlib.suppress(AlreadyExists):
            Journal.create(self.path).close()
        self._journal = Journal.open(self.path, lock=lock_of(self.path, self._clock), clock=self._clock)
        self._book = Book()
        return self._journal

    def _let_go(self) -> None:
        # After a fault the journal is read anew: only the disk knows what it holds.
        if self._journal is not None:
            with contextlib.suppress(StorageError):
                self._journal.close()
            self._journal = None


def lock_of(journal: Path, clock: Clock = SYSTEM_CLOCK) -> FileLock:
    """Return the lock under which a journal of alerts is shared."""
    return FileLock(journal.with_suffix(".lock"), purpose="alerts", timeout_s=LOCK_S, clock=clock)


def _alert_id(entry: Entry) -> str:
    return str(entry.payload().get("alert_id"))
