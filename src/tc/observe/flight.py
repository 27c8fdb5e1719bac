"""One piece of work at a time for all who ask for the same: whoever comes while it is done gets what it gives."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from concurrent.futures import Future
from threading import Lock
from typing import Any


class Flights:
    """Shares work by key between threads; nothing is kept once it is done."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._going: dict[Hashable, Future[Any]] = {}

    def share[T](self, key: Hashable, work: Callable[[], T]) -> T:
        """Return what `work` gives, begun by this call or by another that is not done; raise what it raises."""
        with self._lock:
            flight = self._going.get(key)
            is_mine = flight is None
            if flight is None:
                flight = self._going[key] = Future()
        if is_mine:
            try:
                flight.set_result(work())
            except BaseException as error:  # noqa: BLE001 - whoever waits has to hear of it, whatever it is
                flight.set_exception(error)
            finally:
                with self._lock:
                    del self._going[key]
        found: T = flight.result()
        return found
