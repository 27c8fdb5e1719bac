"""The way it is usually done: one JSON file of positions, read and written whole on every change, durably."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path


class RewrittenLedger:
    """A list of positions in a JSON file, changed under flock by temporary file, fsync, rename and directory fsync."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "positions.json"
        self.lock = folder / "lock"

    def fill(self, count: int) -> None:
        """Start with `count` open positions."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._write([_position(f"seed-{number}", f"SEED{number}.X") for number in range(count)])

    def open(self, command_id: str, instrument_id: str) -> None:
        """Open a position."""
        self._change(lambda positions: [*positions, _position(command_id, instrument_id)])

    def close(self, instrument_id: str) -> None:
        """Close the open position of an instrument."""

        def closed(positions: list[dict]) -> list[dict]:
            for position in positions:
                if position["instrument_id"] == instrument_id and position["status"] == "open":
                    position |= {"status": "closed", "price_close": "101", "profit": "1"}
            return positions

        self._change(closed)

    def _change(self, change) -> None:
        with open(self.lock, "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._write(change(json.loads(self.path.read_bytes())))

    def _write(self, positions: list[dict]) -> None:
        temporary = self.path.with_suffix(".tmp")
        with open(temporary, "w") as file:
            json.dump(positions, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, self.path)
        folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        os.fsync(folder)
        os.close(folder)


def _position(command_id: str, instrument_id: str) -> dict:
    return {
        "command_id": command_id, "instrument_id": instrument_id, "strategy_id": "S", "side": "BUY", "quantity": "1",
        "price": "100", "stop": "95", "target": "110", "setup": "breakout", "grade": "A", "status": "open",
    }  # fmt: skip
