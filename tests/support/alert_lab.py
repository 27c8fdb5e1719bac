"""Sinks that are really there: a web server in a process of its own, and what it saw."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tc.alert.alert import Alert, AlertKind
from tc.alert.desk import AlertDesk, log_of
from tc.alert.sinks import sinks_of
from tc.durable import read_entries
from tc.supervise.command import run_command

CHILDREN = Path(__file__).parent / "children"
RUN = "run"


@dataclass(frozen=True)
class Seen:
    """One arrival at the observer, by its own clock."""

    ns: int
    alert_id: str
    escalation: int
    latency_ns: int
    kind: str
    event: str
    key: str


@dataclass(frozen=True)
class Observer:
    """The web server, and what it saw."""

    port: int
    path: Path

    @property
    def target(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}/hook"

    def seen(self) -> list[Seen]:
        """Return every arrival so far."""
        text = self.path.read_text() if self.path.exists() else ""
        rows = [line.split() for line in text.splitlines(keepends=True) if line.endswith("\n")]
        return [Seen(int(row[0]), row[1], int(row[2]), int(row[3]), *row[4:]) for row in rows]


@contextmanager
def observer(folder: Path, mode: str = "ok", seconds: float = 0.0) -> Iterator[Observer]:
    """Start a web server that behaves as `mode` says, and end it."""
    path = folder / f"seen-{mode}-{time.monotonic_ns()}"
    command = [sys.executable, str(CHILDREN / "alert_observer.py"), str(path), mode, str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield Observer(int(process.stdout.readline()), path)
        finally:
            process.kill()


def desk_of(folder: Path, targets: dict[str, str], **options: float) -> AlertDesk:
    """Return a desk with the log sink and those named, in this order."""
    environment = {f"TC_ALERT_{name.upper()}": target for name, target in targets.items()}
    sinks = sinks_of(list(targets), environment, log_of(folder, RUN), run=run_command)
    return AlertDesk(folder, sinks, run_id=RUN, **options)


def until(condition: Callable[[], bool], timeout_s: float = 10.0) -> bool:
    """Wait for a condition; return whether it came."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return condition()


def entries_of(folder: Path, kind: str) -> list[dict]:
    """Return what the journal says of one type of entry; the whole chain is verified."""
    return [entry.payload() for entry in read_entries(folder / f"{RUN}.jsonl") if entry.type == kind]


def raise_all(desk: AlertDesk, each: int, kinds: Sequence[AlertKind], pause_s: float = 0.01) -> dict[str, int]:
    """Raise `each` alerts of every kind; return when the condition of each began, by alert_id, UNIX ns."""
    began: dict[str, int] = {}
    for number in range(each):
        for kind in kinds:
            now = time.time_ns()
            alert = desk.raise_alert(kind, f"event {number}", where="here", since_ns=now, key=f"{number}")
            assert isinstance(alert, Alert)
            began[alert.alert_id] = now
        time.sleep(pause_s)
    return began
