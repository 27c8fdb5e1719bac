"""What a run's journal says to whoever kills it, read on and never from the start again."""

from __future__ import annotations

from pathlib import Path

from tc.durable import JournalReader
from tc.errors import NotFound, StorageError

STRANGER = "EXTERNAL"
COUNTED = frozenset({"KillLatchClosed", "NodeStarted", "OrderRejected", "OrderSubmitted", "StandDownBegun"})


class JournalTail:
    """The run's own orders, and how often it said what a kill waits for.

    Where the journal cannot be read on, `problem` says why, and what was known stays known.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._reader: JournalReader | None = None
        self.own: set[str] = set()
        self.counts = dict.fromkeys(COUNTED, 0)
        self.problem: str | None = None

    def read(self) -> None:
        """Take in what was written since."""
        try:
            if self._reader is None:
                self._reader = JournalReader(self._path)
            for entry in self._reader.entries():
                if entry.type == "OrderInitialized":
                    data = entry.payload()
                    if data["strategy_id"] != STRANGER:
                        self.own.add(data["client_order_id"])
                elif entry.type in COUNTED:
                    self.counts[entry.type] += 1
        except NotFound:
            pass  # it never started, and has no orders
        except (StorageError, ValueError, KeyError) as error:
            self.problem = str(error)

    def close(self) -> None:
        """Close the file."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None
