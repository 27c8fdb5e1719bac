"""Write what a running node shows of itself, without its loop ever waiting for the disk."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from tc.durable import write_artifact
from tc.errors import StorageError
from tc.store.run_directory import encode_document


class LiveWriter:
    """A thread that writes one document at a time; of a file that is still being written the newest is left out.

    Nobody's run ends because it could not be shown: a document that cannot be written grows old, and says so.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pool = ThreadPoolExecutor(1, "live-writer")
        self._writing: dict[str, Future[None]] = {}

    def write(self, name: str, document: dict[str, Any]) -> None:
        """Write a document of the folder soon."""
        present = self._writing.get(name)
        if present is None or present.done():
            self._writing[name] = self._pool.submit(_write, self._folder / name, encode_document(document))

    def close(self) -> None:
        """Return when nothing is being written any more."""
        self._pool.shutdown(wait=True)


def _write(path: Path, data: bytes) -> None:
    with suppress(StorageError):
        write_artifact(path, data)
