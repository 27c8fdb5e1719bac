"""How a kill agent is told without a disk: a Unix socket without a file, that only this user's processes may use.

The latch tells it where the disk takes one. Where it does not, whoever kills calls, and hears what becomes of it.
"""

from __future__ import annotations

import hashlib
import json
import os
import queue
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from tc.clock import Clock

ANSWER_S = 2.0
"""How long the agent may take to begin."""
LINE_BYTES_MAX = 1 << 20
_CREDENTIALS = struct.Struct("3i")
_DIGEST_LENGTH = 24
_WAITING_MAX = 8


class CallPost:
    """The agent's end: `take` returns a call, `tell` answers everybody who called."""

    def __init__(self, scratch: Path) -> None:
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self._calls: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._callers: list[socket.socket] = []
        self._last = b""
        with suppress(OSError):  # an earlier agent of this run is not quite gone: the latch tells us
            self._listener.bind(_address(scratch))
            self._listener.listen(_WAITING_MAX)
            threading.Thread(target=self._run, name="calls", daemon=True).start()

    def take(self) -> dict[str, Any] | None:
        """Return by whom, why and how the run is to be killed, where somebody called."""
        try:
            return self._calls.get_nowait()
        except queue.Empty:
            return None

    def forget(self) -> None:
        """Drop the calls that came while a kill was under way and want no more than that one did."""
        self._last, waiting = b"", []
        while (call := self.take()) is not None:
            waiting += [call] if call.get("include_foreign") else []
        for call in waiting:
            self._calls.put(call)

    def tell(self, stage: str, facts: dict[str, Any]) -> None:
        """Answer whoever called, if there is somebody still."""
        self._last = line = json.dumps({"stage": stage, "facts": facts}).encode() + b"\n"
        for caller in self._callers:
            with suppress(OSError):
                caller.sendall(line)

    def _run(self) -> None:
        while True:
            caller, _ = self._listener.accept()
            with suppress(OSError, ValueError, KeyError, TypeError):  # it ended meanwhile, or says nothing we know
                if _uid(caller) != os.getuid():
                    caller.close()
                    continue
                caller.settimeout(ANSWER_S)
                with caller.makefile("rb") as stream:
                    call = json.loads(stream.readline(LINE_BYTES_MAX))
                self._callers.append(caller)
                self._calls.put(
                    {"by": call["by"], "reason": call["reason"], "include_foreign": call["include_foreign"]}
                )
                caller.sendall(self._last)  # how far a kill is that is under way


def call_agent(scratch: Path, call: dict[str, Any], patience_s: float, clock: Clock) -> Iterator[dict[str, Any]]:
    """Call the agent of the run whose scratch folder it is, and yield what it says as `stage` and `facts`.

    Ends where there is none, where it says nothing in time, or ends; `patience_s` is how long all of it may take once
    it began.
    """
    deadline_ns = clock.monotonic_ns() + int(ANSWER_S * 1e9)
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as agent,
        suppress(OSError, ValueError),
    ):
        agent.settimeout(ANSWER_S)
        agent.connect(_address(scratch))
        if _uid(agent) != os.getuid():
            return
        agent.sendall(json.dumps(call).encode() + b"\n")
        received = b""
        while (left_ns := deadline_ns - clock.monotonic_ns()) > 0:
            agent.settimeout(left_ns / 1e9)
            part = agent.recv(65_536)
            if not part:
                return
            *lines, received = (received + part).split(b"\n")
            if lines:
                deadline_ns = clock.monotonic_ns() + int(patience_s * 1e9)
            for line in lines:
                yield json.loads(line)


def _address(scratch: Path) -> str:
    name = hashlib.sha256(os.fsencode(scratch.absolute())).hexdigest()[:_DIGEST_LENGTH]
    return f"\0tc-agent-{os.getuid()}-{name}"


def _uid(peer: socket.socket) -> int:
    found = _CREDENTIALS.unpack(peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    return int(found[1])
