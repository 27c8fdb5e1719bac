"""Stop requests: Ctrl-C and SIGTERM ask a run to end cleanly; a second Ctrl-C does not wait."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import Literal, Self

StopKind = Literal["interrupt", "stop"]


class StopRequest:
    """Holds whether, and how, the run was asked to stop; install it around the run."""

    def __init__(self) -> None:
        self.kind: StopKind | None = None
        self._previous: dict[int, signal._HANDLER] = {}
        self._is_over = False

    def is_set(self) -> bool:
        """Return whether a stop was asked for."""
        return self.kind is not None

    @property
    def number(self) -> int:
        """The signal that asks another process for the same."""
        return signal.SIGINT if self.kind == "interrupt" else signal.SIGTERM

    def finish(self) -> None:
        """Take no more requests: the run is over and is being sealed, which is short and must not be cut."""
        self._is_over = True

    def take(self) -> None:
        """Take over SIGINT and SIGTERM."""
        for number in (signal.SIGINT, signal.SIGTERM):
            self._previous.setdefault(number, signal.signal(number, self._on_signal))

    def release(self) -> None:
        """Give the signals back."""
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def __enter__(self) -> Self:
        self.take()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self._is_over:
            return
        if self.kind is None:
            self.kind = "interrupt" if number == signal.SIGINT else "stop"
        elif number == signal.SIGINT:
            raise KeyboardInterrupt
