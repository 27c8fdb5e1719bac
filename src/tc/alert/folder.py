"""The alerts of all runs, as another process reads and acknowledges them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tc.alert.book import ACKNOWLEDGED, Book, Kept
from tc.alert.desk import journal_of
from tc.alert.recorder import lock_of
from tc.clock import SYSTEM_CLOCK, Clock
from tc.durable import Journal, read_entries
from tc.errors import InputError, NotFound

PERSON_LENGTH_MAX = 100
REASON_LENGTH_MAX = 500
_JOURNAL = ".jsonl"
_LOG = ".log.jsonl"


@dataclass(frozen=True)
class AlertFolder:
    """The folder that holds one journal a run."""

    path: Path

    def run_ids(self) -> list[str]:
        """Return the runs that have alerts."""
        names = sorted(path.name for path in self.path.glob(f"*{_JOURNAL}"))
        return [name.removesuffix(_JOURNAL) for name in names if not name.endswith(_LOG)]

    def book(self, run_id: str) -> Book:
        """Return the alerts of one run; raises NotFound where it has none, StorageError where unreadable."""
        book = Book()
        book.fold(read_entries(journal_of(self.path, run_id)))
        return book

    def acknowledge(self, alert_id: str, by: str, reason: str, clock: Clock = SYSTEM_CLOCK) -> Kept:
        """Say that a named person has seen one alert; after return that survives a power cut, and escalation ends.

        Returns the alert; acknowledged before, it keeps who was first.

        Raises:
            InputError: nobody is named.
            NotFound: no run has an alert of that id.
            LockTimeout, StorageError: it is not acknowledged.
        """
        _require("--by", by, PERSON_LENGTH_MAX, is_needed=True)
        _require("--reason", reason, REASON_LENGTH_MAX, is_needed=False)
        for run_id in self.run_ids():
            if alert_id in self.book(run_id).alerts:
                return self._acknowledge(journal_of(self.path, run_id), alert_id, by, reason, clock)
        raise NotFound(f"no alert has the id {alert_id!r}; `tc alerts list` shows them")

    @staticmethod
    def _acknowledge(path: Path, alert_id: str, by: str, reason: str, clock: Clock) -> Kept:
        book = Book()
        with Journal.open(path, lock=lock_of(path, clock), clock=clock) as journal:
            with journal.locked() as entries:
                book.fold(entries)
                kept = book.alerts[alert_id]
                now = clock.now_ns()
                data = {"alert_id": alert_id, "by": by, "reason": reason}
                if kept.acknowledged_ns is None:
                    journal.add(ACKNOWLEDGED, now, data)
            book.apply(ACKNOWLEDGED, now, data)
        return kept


def _require(option: str, value: str, length_max: int, *, is_needed: bool) -> None:
    if (is_needed and not value.strip()) or (value and not value.isprintable()) or len(value) > length_max:
        raise InputError(f"{option} was {value!r}, expected up to {length_max} printable characters; correct it")
