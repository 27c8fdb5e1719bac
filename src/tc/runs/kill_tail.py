"""What a run's journal says to whoever kills it, read on and never from the start again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tc.durable import Entry, JournalReader
from tc.errors import NotFound, StorageError

STRANGER = "EXTERNAL"
COUNTED = frozenset({"KillLatchClosed"})


class JournalTail:
    """The run's own orders, and how often it said what a kill waits for.

    `on_entry` is given every entry. Where the journal cannot be read on, `problem` says why, and what was known stays
    known.
    """

    def __init__(self, path: Path, on_entry: Callable[[Entry], None] | None = None) -> None:
        self._path = path
        self._on_entry = on_entry
        self._reader: JournalReader | None = None
        self.own: set[str] = set()
        self.counts = dict.fromkeys(COUNTED, 0)
        self.problem: str | None = None

    def read(self) -> None:
        """Take in what was written since."""
        found: list[Entry] = []
        try:
            if self._reader is None:
                self._reader = JournalReader(self._path)
            found.extend(self._reader.entries())  # what it yields before it raises is taken, too
        except NotFound:
            pass  # it never started, and has no orders
        except StorageError as error:
            self.problem = str(error)
        for entry in found:
            self._take(entry)

    def _take(self, entry: Entry) -> None:
        if entry.type == "OrderInitialized":
            data = entry.payload()
            if data["strategy_id"] != STRANGER:
                self.own.add(data["client_order_id"])
        elif entry.type in COUNTED:
            self.counts[entry.type] += 1
        if self._on_entry is not None:
            self._on_entry(entry)

    def close(self) -> None:
        """Close the file."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None
