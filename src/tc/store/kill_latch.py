"""The kill latch: a file that says that nobody trades, until a named person clears it. It outlives every process.

One for a run, one for an account, one for all. An account's also lies in the user's own state directory, where every
clone finds it. Unreadable counts as active.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tc.clock import SYSTEM_CLOCK, Clock, iso_utc
from tc.durable import Entry, FileLock, Journal, make_directory, read_artifact, read_entries, write_artifact
from tc.errors import InputError, NotFound, StorageError
from tc.store.account_lock import account_key, user_state
from tc.store.roots import Roots

SCHEMA = "tc.kill_switch/v1"
ALL = "all"
CLOSED, TAKEN, CONFIRMED, INCOMPLETE = "KillLatchClosed", "KillTaken", "KillConfirmed", "KillIncomplete"
LOCK_TIMEOUT_S = 5.0
PERSON_LENGTH_MAX = 100


@dataclass(frozen=True)
class LatchState:
    """What a latch says; `is_readable` False where it cannot be read, which counts as active."""

    name: str
    is_active: bool
    by: str
    reason: str
    since: str
    is_readable: bool = True

    def describe(self) -> str:
        """Return it in words."""
        if not self.is_readable:
            return f"{self.name}: active, for it cannot be read: {self.reason}"
        return f"{self.name}: active since {self.since}, by {self.by}: {self.reason}"


@dataclass(frozen=True)
class KillLatch:
    """One latch; `folder` holds its state and its history."""

    folder: Path
    name: str

    @classmethod
    def of_run(cls, roots: Roots, run_id: str) -> KillLatch:
        """Return a run's."""
        return cls(roots.kill_switch, run_id)

    @classmethod
    def of_account(cls, endpoint: str, api_key: str) -> KillLatch:
        """Return an account's, the same in every clone; of the key only a digest is kept."""
        return cls(user_state() / "kill_switch", f"account-{account_key(endpoint, api_key)}")

    @classmethod
    def of_all(cls) -> KillLatch:
        """Return the one that holds for every run of this user."""
        return cls(user_state() / "kill_switch", ALL)

    @property
    def path(self) -> Path:
        """The file that says it."""
        return self.folder / f"{self.name}.state.json"

    def state(self) -> LatchState | None:
        """Return what it says; None where it was never closed, or was cleared."""
        try:
            document = json.loads(read_artifact(self.path))
            found = LatchState(self.name, **{key: document[key] for key in ("is_active", "by", "reason", "since")})
        except NotFound:
            return None
        except (StorageError, ValueError, KeyError, TypeError) as error:
            return LatchState(self.name, is_active=True, by="", reason=str(error), since="", is_readable=False)
        return found if found.is_active is not False else None

    @property
    def history_path(self) -> Path:
        """The journal of what became of it."""
        return self.folder / f"{self.name}.events.jsonl"

    def history(self) -> list[Entry]:
        """Return what became of it, the oldest first; nothing where it was never closed.

        Raises:
            StorageError: it cannot be read.
        """
        try:
            return list(read_entries(self.history_path))
        except NotFound:
            return []

    def close(self, by: str, reason: str, clock: Clock = SYSTEM_CLOCK, **facts: Any) -> None:
        """Close it; closed once more it keeps who closed it first, and the history has both.

        Raises:
            InputError: nobody is named, or no reason.
            StorageError: it is not closed; a kill goes on without it and says so.
        """
        require_words(by, reason)
        present = self.state()
        make_directory(self.folder)
        if present is None:
            self._write(LatchState(self.name, is_active=True, by=by, reason=reason, since=iso_utc(clock.now_ns())))
        self._note(CLOSED, clock, {"by": by, "reason": reason, **facts})

    def clear(self, by: str, reason: str, clock: Clock = SYSTEM_CLOCK) -> bool:
        """Clear it, by a named person; return whether it was closed.

        Raises:
            InputError: nobody is named, or no reason.
            StorageError: it stays closed.
        """
        require_words(by, reason)
        if self.state() is None:
            return False
        self._note("KillLatchCleared", clock, {"by": by, "reason": reason})
        self._write(LatchState(self.name, is_active=False, by=by, reason=reason, since=iso_utc(clock.now_ns())))
        return True

    def note(self, kind: str, facts: dict[str, Any], clock: Clock = SYSTEM_CLOCK) -> None:
        """Add to its history what became of a kill."""
        make_directory(self.folder)
        self._note(kind, clock, facts)

    def _write(self, state: LatchState) -> None:
        document = {"schema": SCHEMA, **asdict(state)}
        write_artifact(self.path, (json.dumps(document, indent=2) + "\n").encode())

    def _note(self, kind: str, clock: Clock, facts: dict[str, Any]) -> None:
        path = self.history_path
        lock = FileLock(self.folder / f"{self.name}.lock", purpose=f"kill latch {self.name}", timeout_s=LOCK_TIMEOUT_S)
        with lock:
            journal = Journal.open(path) if path.exists() else Journal.create(path)
            with journal:
                journal.append(kind, clock.now_ns(), facts)


def closed_latches(*latches: KillLatch) -> Iterator[LatchState]:
    """Yield what every closed one of the latches says."""
    for latch in latches:
        state = latch.state()
        if state is not None:
            yield state


def in_few_words(reason: str) -> str:
    """Return a reason that no person gave, of whatever length and content, as a latch takes it."""
    words = "".join(each if each.isprintable() else " " for each in reason)
    return words if len(words) <= PERSON_LENGTH_MAX else f"{words[: PERSON_LENGTH_MAX - 1]}…"


def require_words(by: str, reason: str) -> None:
    """Return if a person and a reason are named.

    Raises:
        InputError: one of them is not.
    """
    for name, value in (("--by", by), ("--reason", reason)):
        if not value.strip() or not value.isprintable() or len(value) > PERSON_LENGTH_MAX:
            raise InputError(f"{name} was {value!r}, expected up to {PERSON_LENGTH_MAX} printable characters; give it")
