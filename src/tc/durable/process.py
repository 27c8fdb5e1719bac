"""Who a process is: a pid alone is reused, a pid with its start time and boot id is not."""

from __future__ import annotations

import functools
import os
from pathlib import Path

_STATES_GONE = frozenset({"Z", "X", "x"})  # a zombie still answers kill(pid, 0), but it runs no more
_STATE_OF_DISK = "D"
_STATES_STOPPED = frozenset({"T", "t"})


@functools.cache
def boot_id() -> str:
    """Return the id of this boot of the machine."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


@functools.cache
def host() -> str:
    """Return the name of this machine."""
    return os.uname().nodename


def process_start_time(pid: int) -> int | None:
    """Return when process `pid` started, in clock ticks since boot; None if no such process runs."""
    fields = _stat_fields(pid)
    return None if fields is None or fields[0] in _STATES_GONE else int(fields[19])


def is_process_alive(pid: int, start_time: int) -> bool:
    """Tell whether the very process that started at `start_time` (ticks since boot) still runs."""
    return process_start_time(pid) == start_time


def is_process_stopped(pid: int) -> bool:
    """Tell whether process `pid` is suspended by a signal or a debugger."""
    fields = _stat_fields(pid)
    return fields is not None and fields[0] in _STATES_STOPPED


def is_process_spent(pid: int) -> bool:
    """Tell whether nothing of a process that was killed is left but threads that wait for a disk, if any.

    The kernel lets those go no further than to their end.
    """
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return True
    states = [fields[0] for name in threads if (fields := _stat_fields_at(f"/proc/{pid}/task/{name}/stat"))]
    return all(state in _STATES_GONE or state == _STATE_OF_DISK for state in states)


def process_cpu_ns(pid: int) -> int | None:
    """Return how much processor time process `pid` has used, in ns; None if no such process runs."""
    fields = _stat_fields(pid)
    if fields is None or fields[0] in _STATES_GONE:
        return None
    return (int(fields[11]) + int(fields[12])) * 1_000_000_000 // os.sysconf("SC_CLK_TCK")


def process_memory_bytes(pid: int) -> int | None:
    """Return how much memory process `pid` holds; None if no such process runs."""
    fields = _stat_fields(pid)
    return None if fields is None or fields[0] in _STATES_GONE else int(fields[21]) * os.sysconf("SC_PAGE_SIZE")


def own_start_time() -> int:
    """Return this process's own start time in ticks since boot."""
    return _start_time_of(os.getpid())


@functools.cache
def _start_time_of(pid: int) -> int:
    # Keyed by pid, because a forked child inherits the cache but not the start time.
    start_time = process_start_time(pid)
    return 0 if start_time is None else start_time


def _stat_fields(pid: int) -> list[str] | None:
    return _stat_fields_at(f"/proc/{pid}/stat")


def _stat_fields_at(path: str) -> list[str] | None:
    # Fields of a stat file from the state on; the name before it is in brackets and may hold anything.
    try:
        text = Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return text.rpartition(")")[2].split()
