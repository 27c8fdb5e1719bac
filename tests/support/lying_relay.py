"""A way to a venue that alters what the venue says: what no fault of the venue's own can make its clients believe."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

_PART_BYTES = 1 << 16


class LyingRelay:
    """Passes every connection on to `port`; while it lies, some words of the venue come out as others as long."""

    def __init__(self, port: int) -> None:
        self._venue = port
        self._lie: tuple[bytes, bytes] | None = None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._run, daemon=True).start()

    def lie(self, truth: bytes, lie: bytes) -> None:
        """Say `lie` from now on where the venue says `truth`."""
        assert len(truth) == len(lie)
        self._lie = truth, lie

    def tell_the_truth(self) -> None:
        """Alter nothing any more."""
        self._lie = None

    def close(self) -> None:
        """Take no more connections."""
        self._listener.close()

    def _run(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", self._venue)) as venue:
            asking = threading.Thread(target=_pass_on, args=(client, venue, bytes), daemon=True)
            asking.start()
            _pass_on(venue, client, self._altered)
            asking.join()

    def _altered(self, part: bytes) -> bytes:
        return part if self._lie is None else part.replace(*self._lie)


def _pass_on(one: socket.socket, other: socket.socket, alter: Callable[[bytes], bytes]) -> None:
    with suppress(OSError):
        while part := one.recv(_PART_BYTES):
            other.sendall(alter(part))
    for each in (one, other):
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


@contextmanager
def lying_relay(port: int) -> Iterator[LyingRelay]:
    """Give one that tells the truth still."""
    relay = LyingRelay(port)
    try:
        yield relay
    finally:
        relay.close()
