"""A child of our own that lives for a while: started apart from our terminal, watched by its lines and its end."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from tc.clock import SYSTEM_CLOCK, Clock
from tc.errors import ChildFailed
from tc.supervise.hash_seed import HASH_SEED, HASH_SEED_VARIABLE

POLL_S = 0.02
READ_S = 5.0
PART_BYTES = 1 << 16


class Child:
    """A running `tc` command, or another module of ours, in a session of its own: Ctrl-C reaches it only through us.

    It may say things, one JSON object a line of its standard output. Its standard input stays open as long as we
    live: that is how it notices when we are gone. What it writes to its standard error goes to ours; with `is_apart`
    through us, so that it holds nothing that somebody waits for when it outlives us. `environment` is beside ours.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        module: str = "tc",
        *,
        is_apart: bool = False,
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.name = " ".join(arguments[:2]) or module
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-P", "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if is_apart else None,
            start_new_session=True,
            env={**os.environ, **environment, HASH_SEED_VARIABLE: HASH_SEED},
        )
        self._said: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, name=f"lines of {self.name}", daemon=True)
        self._reader.start()
        self._words = threading.Thread(target=self._pass_on, name=f"words of {self.name}", daemon=True)
        self._words.start()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def exit_code(self) -> int | None:
        """Return how it ended, negative for the signal that ended it; None while it runs."""
        return self._process.poll()

    def next_line(self, timeout_s: float) -> dict[str, Any] | None:
        """Return what it said next, or None where it says nothing for so long."""
        try:
            return self._said.get(timeout=timeout_s) if timeout_s else self._said.get_nowait()
        except queue.Empty:
            return None

    def last_lines(self) -> list[dict[str, Any]]:
        """Return what it said before it ended and nobody read yet."""
        self._reader.join(READ_S)
        lines = []
        while (line := self.next_line(0.0)) is not None:
            lines.append(line)
        return lines

    def wait_for(self, key: str, timeout_s: float, clock: Clock = SYSTEM_CLOCK) -> dict[str, Any]:
        """Return the first line that has `key`.

        Raises:
            ChildFailed: it ended before, or took longer.
        """
        deadline_ns = clock.monotonic_ns() + int(timeout_s * 1e9)
        is_over = False
        while not is_over:
            is_over = clock.monotonic_ns() >= deadline_ns  # before the look: who was paused looks once more
            line = self.next_line(POLL_S)
            if line is not None and key in line:
                return line
            if line is None and self.exit_code() is not None:
                self._words.join(READ_S)
                raise ChildFailed(f"{self.name} ended with {self.exit_code()} before it was ready; see above")
        raise ChildFailed(f"{self.name} was not ready within {timeout_s:g} s")

    def ask_to_stop(self, number: int = signal.SIGTERM) -> None:
        """Send it a signal, if it is still there."""
        if self._process.poll() is None:
            self._process.send_signal(number)

    def kill(self) -> None:
        """End it without asking, and see it gone."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()

    def stop(self, timeout_s: float) -> int:
        """Ask it to end, end it where it does not, and return how it ended."""
        self.ask_to_stop()
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            return self._process.returncode

    def close(self) -> None:
        """Let go of its pipes; that of its lines only where nobody can say anything in it any more."""
        # A process that it left behind may hold that one for ever, and who reads it holds what closing it waits for.
        for pipe in (self._process.stdin, None if self._reader.is_alive() else self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()

    def leave(self) -> None:
        """Let it live on by itself: it notices that nobody is there any more."""
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()

    def tell(self, line: bytes) -> None:
        """Write it a line; one that ended already says by its exit code why."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it ended at once; its exit code and its own words say why
            self._process.stdin.write(line + b"\n")
            self._process.stdin.flush()

    def _pass_on(self) -> None:
        if self._process.stderr is None:
            return
        with self._process.stderr as words:
            while part := os.read(words.fileno(), PART_BYTES):
                with contextlib.suppress(OSError):  # nobody reads ours any more; it is not kept from going on
                    sys.stderr.buffer.write(part)
                    sys.stderr.flush()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for raw in lines:
                try:
                    line = json.loads(raw)
                except ValueError:
                    continue  # what a library prints is not for us
                if isinstance(line, dict):
                    self._said.put(line)
