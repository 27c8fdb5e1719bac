"""Alerts, kills and latches of a run, and the processes that keep it safe, from the files that they leave."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tc.alert.alert import AlertKind, Severity
from tc.alert.book import Book
from tc.clock import Clock, parse_utc_ns
from tc.durable import BeatFile, is_process_alive, is_process_stopped, read_entries
from tc.errors import NotFound
from tc.model.heartbeat import AGENT_HEARTBEAT, Beats, Slot, read_beats
from tc.model.histogram import LONG_BOUNDS, Histogram
from tc.observe.sheet import Sample
from tc.observe.trace import Stamp, number, require_plain, seconds, stamp
from tc.observe.vocabulary import AGENT_PARTS, HEARTBEAT_PARTS, KILL_STAGES
from tc.store.account_lock import user_state
from tc.store.kill_latch import CONFIRMED, INCOMPLETE, TAKEN, KillLatch
from tc.store.run_directory import RunDirectory

JOURNAL_BYTES_MAX = 64 << 20
BOOKS_KEPT = 64
_books: dict[Path, tuple[Stamp | None, Book]] = {}


def alert_samples(path: Path) -> Iterator[Sample]:
    """Yield what a run's journal of alerts says; NotFound where it has none."""
    book = _book_of(path)
    raised = Counter(kept.alert.kind for kept in book.alerts.values())
    for kind in AlertKind:
        yield "tc_alerts_raised_total", (kind.value, kind.severity.value), float(raised[kind])
    opened = [kept for kept in book.alerts.values() if book.is_open(kept)]
    for severity in Severity:
        mine = [kept for kept in opened if kept.alert.severity is severity]
        yield "tc_alerts_open", (severity.value,), float(len(mine))
        unacknowledged = sum(kept.acknowledged_ns is None for kept in mine)
        yield "tc_alerts_unacknowledged", (severity.value,), float(unacknowledged)
    latencies: dict[str, Histogram] = {}
    failed: Counter[str] = Counter()
    for kept in book.alerts.values():
        for sink, latency_ns in kept.sent.items():
            since_ns = kept.alert.raised_ns + latency_ns - kept.alert.since_ns
            latencies.setdefault(sink, Histogram(LONG_BOUNDS)).add(number(since_ns) / 1e9)
        failed.update(kept.missed)
    for sink in {*latencies, *failed}:
        yield "tc_alert_failures_total", (sink,), float(failed[sink])
    for sink, histogram in latencies.items():
        yield "tc_alert_latency_seconds", (sink,), histogram


def _book_of(path: Path) -> Book:
    """Return the fold of a journal of alerts; of one that did not change the same as before."""
    require_plain(path, JOURNAL_BYTES_MAX)
    found = stamp(path)
    known = _books.get(path)
    if known is None or known[0] != found:
        book = Book()
        book.fold(read_entries(path))
        known = (found, book)
        if len(_books) >= BOOKS_KEPT:
            _books.clear()
        _books[path] = known
    return known[1]


def kill_samples(latch: KillLatch, account_key: str | None, *, is_running: bool) -> Iterator[Sample]:
    """Yield a run's latches and what became of its kills; those of account and user only count while it runs."""
    yield "tc_kill_latched", ("run",), float(latch.state() is not None)
    if is_running:
        yield "tc_kill_latched", ("all",), float(KillLatch.of_all().state() is not None)
        if account_key is not None:
            account = KillLatch(user_state() / "kill_switch", f"account-{account_key}")
            yield "tc_kill_latched", ("account",), float(account.state() is not None)
    try:
        require_plain(latch.history_path, JOURNAL_BYTES_MAX)
    except NotFound:
        return
    entries = latch.history()
    kinds = Counter(entry.type for entry in entries)
    yield "tc_kills_total", (), float(kinds[TAKEN])
    yield "tc_kills_confirmed_total", (), float(kinds[CONFIRMED])
    yield "tc_kills_incomplete_total", (), float(kinds[INCOMPLETE])
    found = {stage: Histogram(LONG_BOUNDS) for stage in KILL_STAGES}
    for entry in entries:
        if entry.type == CONFIRMED:
            for stage, passed_s in entry.payload()["stages_s"].items():
                if stage in found:
                    found[stage].add(number(passed_s))
    for stage, histogram in found.items():
        yield "tc_kill_stage_seconds", (stage,), histogram


def agent_samples(trace: dict[str, Any]) -> Iterator[Sample]:
    """Yield what the trace of a kill agent leads to."""
    is_armed = trace["armed"] is True and is_at_work(trace)
    yield "tc_agent_armed", (), float(is_armed)
    if is_armed:
        yield "tc_agent_armed_timestamp_seconds", (), seconds(parse_utc_ns(trace["since"]))


def supervisor_samples(trace: dict[str, Any]) -> Iterator[Sample]:
    """Yield what the trace of a supervisor leads to."""
    yield "tc_supervisor_up", (), float(is_at_work(trace))


def is_at_work(trace: dict[str, Any]) -> bool:
    """Return whether the process of a trace lives and is not stopped."""
    pid, start_time = int(trace["pid"]), int(trace["start_time"])
    return is_process_alive(pid, start_time) and not is_process_stopped(pid)


def heartbeat_samples(run: RunDirectory, name: str, pid: int, clock: Clock) -> Iterator[Sample]:
    """Yield the signs of life of the node `pid`; nothing of a file that is another's."""
    beats, _, offset_ns = _look(run.scratch / name, pid, clock)
    yield "tc_node_watched", (), float(beats is not None)
    yield from _beats("tc_heartbeat_timestamp_seconds", HEARTBEAT_PARTS, beats, offset_ns)


def agent_beat_samples(run: RunDirectory, trace: dict[str, Any], clock: Clock) -> Iterator[Sample]:
    """Yield the signs of life of a kill agent, and until when the venue's countdown runs; nothing of another agent."""
    beats, deadline_ns, offset_ns = _look(run.scratch / AGENT_HEARTBEAT, int(trace["pid"]), clock)
    yield from _beats("tc_agent_heartbeat_timestamp_seconds", AGENT_PARTS, beats, offset_ns)
    if beats is not None and deadline_ns:
        yield "tc_dead_man_deadline_timestamp_seconds", (), _unix_s(deadline_ns, offset_ns)


def _look(path: Path, pid: int, clock: Clock) -> tuple[Beats | None, int, int]:
    """Return the beats of `pid`, the deadline of a dead man's countdown, and what makes UNIX time of either, in ns."""
    require_plain(path)
    file = BeatFile.look(path)
    try:
        return read_beats(file.read, pid), file.read(Slot.DEAD_MAN), clock.now_ns() - clock.monotonic_ns()
    finally:
        file.close()


def _beats(name: str, parts: tuple[str, ...], beats: Beats | None, offset_ns: int) -> Iterator[Sample]:
    for part in parts:
        at_ns: int | None = getattr(beats, part, None)
        if at_ns is not None:
            yield name, (part,), _unix_s(at_ns, offset_ns)


def _unix_s(at_ns: int, offset_ns: int) -> float:
    return round((at_ns + offset_ns) / 1e9, 3)
