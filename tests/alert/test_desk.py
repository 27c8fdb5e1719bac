"""What a desk promises: once, until somebody has seen it, and whatever the process, the disk or a sink does."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.alert_lab import CHILDREN, RUN, Observer, desk_of, entries_of, observer, until
from support.capabilities import needs
from support.loop_disk import loop_disk
from support.mounts import mounted
from tc.alert.alert import AlertKind, Severity
from tc.alert.book import Book
from tc.alert.desk import AlertDesk, log_of
from tc.alert.sinks import sinks_of
from tc.durable import read_entries, verify_journal

PROJECT = Path(__file__).parents[2]


def test_the_same_alert_is_raised_once_until_it_is_cleared(tmp_path) -> None:
    """Kind and key name a condition: raised again it is counted, cleared and raised again it is a new alert."""
    with observer(tmp_path) as seen:
        desk = desk_of(tmp_path, {"pager": seen.target})
        first = desk.raise_alert(AlertKind.stale_data, "no bar for 5 s", key="BTCUSDT")
        assert first is not None
        assert desk.raise_alert(AlertKind.stale_data, "no bar for 6 s", key="BTCUSDT") is None
        assert desk.raise_alert(AlertKind.stale_data, "no bar for 7 s", key="BTCUSDT") is None
        other = desk.raise_alert(AlertKind.stale_data, "no bar for 5 s", key="ETHUSDT")
        assert other is not None
        desk.clear(AlertKind.stale_data, "BTCUSDT")
        desk.clear(AlertKind.stale_data, "never raised")
        second = desk.raise_alert(AlertKind.stale_data, "no bar for 5 s", key="BTCUSDT")
        assert second is not None
        desk.close()
        assert desk.raise_alert(AlertKind.test, "after the end") is None
        raised = [one.alert_id for one in seen.seen() if one.event == "raised"]
        assert set(raised) <= {first.alert_id, second.alert_id, other.alert_id}
        assert len(raised) == len(set(raised))
        assert {one.alert_id for one in seen.seen()} == {first.alert_id, second.alert_id, other.alert_id}
    assert entries_of(tmp_path, "AlertCleared") == [{"alert_id": first.alert_id, "repeats": 2}]


def test_that_a_condition_is_over_reaches_every_sink(tmp_path) -> None:
    """Cleared after it was taken it is sent once more, as cleared; before that, one message says both."""
    with observer(tmp_path) as seen:
        desk = desk_of(tmp_path, {"pager": seen.target})
        alert = desk.raise_alert(AlertKind.stale_data, "no bar for 5 s", key="BTCUSDT")
        assert alert is not None
        assert until(lambda: [one.event for one in seen.seen()] == ["raised"])
        desk.clear(AlertKind.stale_data, "BTCUSDT")
        assert until(lambda: [one.event for one in seen.seen()] == ["raised", "cleared"])
        desk.close()
        assert {one.alert_id for one in seen.seen()} == {alert.alert_id}
    last = json.loads((tmp_path / f"{RUN}.log.jsonl").read_text().splitlines()[-1])
    assert (last["event"], last["raised_ns"] <= last["cleared_ns"] <= last["sent_ns"]) == ("cleared", True)


def test_an_alert_says_what_whoever_is_woken_needs(tmp_path) -> None:
    """Kind, severity, what, where, since when, run, runbook and measured latency are in every delivered alert."""
    desk = desk_of(tmp_path, {})
    since = time.time_ns() - 2_000_000_000
    desk.raise_alert(AlertKind.node_stalled, "no beat for 2 s\ud800", where="strategy loop", since_ns=since)
    desk.close()
    (line,) = (tmp_path / f"{RUN}.log.jsonl").read_text().splitlines()
    found = json.loads(line)
    assert (found["kind"], found["severity"], found["run_id"]) == ("node_stalled", "page", RUN)
    assert (found["where"], found["since_ns"]) == ("strategy loop", since)
    assert found["what"] == "no beat for 2 s?"
    assert found["runbook"] == "docs/runbooks/node-dead.md"
    assert since < found["raised_ns"] <= found["sent_ns"]
    assert 0 < found["latency_ns"] < 5_000_000_000


def test_a_desk_without_alerts_writes_nothing(tmp_path) -> None:
    """Where nothing happened there is no file that says so."""
    desk = desk_of(tmp_path / "alerts", {})
    time.sleep(0.6)
    desk.close()
    assert not (tmp_path / "alerts").exists()
    desk = desk_of(tmp_path / "alerts", {})
    desk.raise_alert(AlertKind.test, "a time that cannot be is taken for now", since_ns=-(10**30))
    desk.close()
    (line,) = (tmp_path / "alerts" / f"{RUN}.log.jsonl").read_text().splitlines()
    assert json.loads(line)["since_ns"] == json.loads(line)["raised_ns"]


def test_every_kind_has_severity_and_runbook() -> None:
    """No kind is without either, and what has to be acted upon is a page."""
    for kind in AlertKind:
        assert kind.runbook.startswith("docs/runbooks/")
        assert kind.severity in Severity
    quiet = {kind for kind in AlertKind if kind.severity is not Severity.PAGE}
    warnings = {AlertKind.limit_warning, AlertKind.cpu_bound}
    assert quiet == {AlertKind.kill_stage, AlertKind.kill_confirmed, AlertKind.test, *warnings}


def test_the_journal_says_who_got_what_and_when(tmp_path) -> None:
    """Raised, sent with latency, failed once, cleared: hash-chained, and the fold of it knows each alert's story."""
    with observer(tmp_path) as seen, observer(tmp_path, "refuse") as refusing:
        desk = desk_of(tmp_path, {"pager": seen.target, "bad": refusing.target})
        alert = desk.raise_alert(AlertKind.drawdown, "20 % down")
        assert alert is not None
        assert until(lambda: len(seen.seen()) == 1)
        time.sleep(1.2)  # the sink that refuses does so again
        desk.close(2.0)
    assert verify_journal(tmp_path / f"{RUN}.jsonl").problem is None
    book = Book()
    book.fold(read_entries(tmp_path / f"{RUN}.jsonl"))
    kept = book.alerts[alert.alert_id]
    assert set(kept.sent) == {"log", "pager"}
    assert all(0 < latency < 5_000_000_000 for latency in kept.sent.values())
    assert kept.failed == {"bad": "HTTP 503"}
    assert len(entries_of(tmp_path, "AlertFailed")) == 1, "a dead sink fills no disk"


def is_quiet(seen: Observer) -> bool:
    """Return whether nothing came for more than twice as long as a page waits for its acknowledgment."""
    before = len(seen.seen())
    time.sleep(1.5)
    return len(seen.seen()) == before


def test_a_page_that_nobody_acknowledges_is_sent_again_and_again(tmp_path) -> None:
    """With a growing count; an acknowledgment from another process ends it, as clearing does; a warning never is."""
    with observer(tmp_path) as seen:
        desk = desk_of(tmp_path, {"pager": seen.target}, escalate_after_s=0.6)
        page = desk.raise_alert(AlertKind.give_up, "three restarts used up")
        cleared = desk.raise_alert(AlertKind.drawdown, "down")
        warning = desk.raise_alert(AlertKind.limit_warning, "half of it")
        assert page is not None
        assert cleared is not None
        assert warning is not None

        def counts(alert_id: str) -> list[int]:
            return [one.escalation for one in seen.seen() if one.alert_id == alert_id]

        assert until(lambda: counts(page.alert_id)[:3] == [0, 1, 2])
        desk.clear(AlertKind.drawdown)
        done = tc(tmp_path, "ack", page.alert_id, "--by", "ann", "--reason", "on it")
        assert done.returncode == 0, done.stderr
        assert until(lambda: is_quiet(seen)), "it is sent again and again"
        assert counts(page.alert_id) == list(range(len(counts(page.alert_id))))
        assert counts(warning.alert_id) == [0]
        desk.close()
    assert entries_of(tmp_path, "AlertAcknowledged") == [{"alert_id": page.alert_id, "by": "ann", "reason": "on it"}]


def test_what_a_killed_process_could_not_send_the_next_desk_sends(tmp_path) -> None:
    """A process killed between raising and sending: the next desk on the folder sends, once, and escalates."""
    with observer(tmp_path, "hang") as hanging, observer(tmp_path) as seen:
        command = [sys.executable, str(CHILDREN / "alert_raiser.py"), str(tmp_path), RUN, str(hanging.port)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            alert_id = process.stdout.readline().strip()
            assert until(lambda: _has(tmp_path, "AlertRaised") and _has(tmp_path, "AlertSent"))
            early = desk_of(tmp_path, {"pager": seen.target})
            time.sleep(1.0)
            early.close()
            assert seen.seen() == [], "a living process sends its alerts itself"
            process.kill()
        desks = [desk_of(tmp_path, {"pager": seen.target}, escalate_after_s=2.0) for _ in range(2)]
        assert until(lambda: len(seen.seen()) == 1)
        assert until(lambda: [one.escalation for one in seen.seen()] == [0, 1])
        assert {one.alert_id for one in seen.seen()} == {alert_id}
        for desk in desks:
            desk.close()
    logged = (tmp_path / f"{RUN}.log.jsonl").read_text().splitlines()
    assert [json.loads(line)["escalation"] for line in logged] == [0, 1], "the log had it already"


def _has(folder: Path, kind: str) -> bool:
    return (folder / f"{RUN}.jsonl").exists() and bool(entries_of(folder, kind))


def test_what_a_closed_desk_could_not_send_the_next_desk_sends(tmp_path) -> None:
    """A desk that closes in time with a dead sink leaves the alert to the next, in the same process too."""
    with observer(tmp_path) as seen:
        first = desk_of(tmp_path, {"pager": "http://127.0.0.1:1/"})
        alert = first.raise_alert(AlertKind.limit_warning, "half of it")
        assert alert is not None
        first.close(2.0)
        second = desk_of(tmp_path, {"pager": seen.target})
        assert until(lambda: [one.alert_id for one in seen.seen()] == [alert.alert_id])
        second.close()
        third = desk_of(tmp_path, {"pager": seen.target})
        third.close()
        assert len(seen.seen()) == 1


def test_a_desk_closes_in_its_time_and_lets_go_what_can_leave(tmp_path) -> None:
    """Queued alerts leave through a slow sink before the end; a hanging one does not hold the end up."""
    with observer(tmp_path, "hang") as hanging, observer(tmp_path, "slow", 0.3) as seen:
        desk = desk_of(tmp_path, {"bad": hanging.target, "pager": seen.target})
        for number in range(50):
            desk.raise_alert(AlertKind.kill_stage, "canceling", key=f"{number}")
        started = time.monotonic()
        desk.close(3.0)
        assert time.monotonic() - started < 3.0 + 4.0
        assert len(seen.seen()) == 50


def test_several_processes_share_a_journal(tmp_path) -> None:
    """Desks side by side record all of their alerts in one chain."""
    desks = [desk_of(tmp_path, {}) for _ in range(3)]

    def work(desk: AlertDesk) -> None:
        for number in range(200):
            desk.raise_alert(AlertKind.limit_warning, "one", key=f"{number}")

    threads = [threading.Thread(target=work, args=(desk,)) for desk in desks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for desk in desks:
        desk.close(10.0)
    assert verify_journal(tmp_path / f"{RUN}.jsonl").problem is None
    assert len({one["alert_id"] for one in entries_of(tmp_path, "AlertRaised")}) == 600
    assert len(entries_of(tmp_path, "AlertSent")) == 600


def test_a_handler_may_raise_an_alert_while_one_is_raised(tmp_path) -> None:
    """A signal handler that interrupts the desk and raises an alert itself does not block."""
    desk = desk_of(tmp_path, {})
    count = 0

    def handler(*_: object) -> None:
        nonlocal count
        count += 1
        desk.raise_alert(AlertKind.kill_activated, "by signal", key=f"{count}")

    ended = threading.Event()

    def interrupt() -> None:
        while not ended.wait(0.005):
            os.kill(os.getpid(), signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, handler)
    interrupter = threading.Thread(target=interrupt)
    interrupter.start()
    try:
        for number in range(3_000):
            desk.raise_alert(AlertKind.limit_warning, "one", key=f"{number}")
            time.sleep(0.0001)
    finally:
        ended.set()
        interrupter.join()
        signal.signal(signal.SIGUSR1, before)
    desk.close(10.0)
    assert count > 20
    lines = (tmp_path / f"{RUN}.log.jsonl").read_text().splitlines()
    assert len(lines) == 3_000 + count


@contextlib.contextmanager
def broken_folder(tmp_path: Path, how: str) -> Iterator[Path]:
    """Yield a folder whose disk fails as `how` says."""
    folder = tmp_path / "alerts"
    if how == "a file instead":
        folder.write_text("")
        yield folder
    elif how == "damaged journal":
        folder.mkdir()
        (folder / f"{RUN}.jsonl").write_text("nonsense\nnonsense\n")
        yield folder
    elif how == "full":
        with mounted(tmp_path / "small", "-t", "tmpfs", "-o", "size=16k", "none") as root:
            with contextlib.suppress(OSError):
                (root / "fill").write_bytes(b"x" * 65536)
            yield root
            assert until(lambda: not _users_of(root))  # who writes still sees that there is no room
    elif how == "read-only":
        with mounted(tmp_path / "small", "-t", "tmpfs", "-o", "ro", "none") as root:
            yield root
    else:
        with loop_disk(tmp_path, "ext4") as disk:
            subprocess.run(["fsfreeze", "-f", str(disk.root)], check=True)
            try:
                yield disk.root
            finally:
                subprocess.run(["fsfreeze", "-u", str(disk.root)], check=True)
                time.sleep(1.0)  # what hung goes on, and lets go
                assert until(lambda: not _users_of(disk.root))


def _users_of(root: Path) -> list[str]:
    links = [os.path.join("/proc/self/fd", name) for name in os.listdir("/proc/self/fd")]
    return [link for link in links if os.path.lexists(link) and os.path.realpath(link).startswith(str(root))]


@pytest.mark.parametrize(
    "how",
    [
        "a file instead",
        "damaged journal",
        pytest.param("full", marks=needs("tmpfs")),
        pytest.param("read-only", marks=needs("tmpfs")),
        pytest.param("hanging", marks=needs("ext4")),
    ],
)
def test_a_failing_disk_stops_no_alert(tmp_path, how) -> None:
    """Full, read-only, hanging, damaged: each alert reaches its sink within five seconds, and the fault is one, too."""
    with observer(tmp_path) as seen, broken_folder(tmp_path, how) as folder:
        began = time.monotonic()
        desk = desk_of(folder, {"pager": seen.target})
        for number in range(20):
            assert desk.raise_alert(AlertKind.not_latched, "the latch could not be written", key=f"{number}")
        assert time.monotonic() - began < 4.0  # a disk that hangs is not waited for
        assert until(lambda: len(seen.seen()) >= 20, 5.0)
        assert until(lambda: len(seen.seen()) == 21, 12.0), "that nothing is recorded is an alert itself"
        began = time.monotonic()
        desk.close(1.0)
        assert time.monotonic() - began < 1.0 + 4.0


def test_a_disk_that_recovers_gets_what_it_missed(tmp_path) -> None:
    """What was raised while nothing could be written is recorded afterwards, and the fault is cleared."""
    folder = tmp_path / "alerts"
    folder.write_text("")
    with observer(tmp_path) as seen:
        desk = desk_of(folder, {"pager": seen.target})
        desk.raise_alert(AlertKind.node_dead, "gone")
        assert until(lambda: len(seen.seen()) == 2)
        folder.unlink()
        assert until(lambda: folder.exists() and _has(folder, "AlertCleared"))
        desk.close()
    assert {one["kind"] for one in entries_of(folder, "AlertRaised")} == {"node_dead", "journal_poisoned"}
    logged = [json.loads(line) for line in log_of(folder, RUN).read_text().splitlines()]
    assert {one["kind"] for one in logged} == {"node_dead", "journal_poisoned"}


def test_no_target_is_ever_written(tmp_path) -> None:
    """A secret in the address or command of a sink is in no file, message or error, whatever becomes of the sending."""
    canary = "CANARY-5f2c"
    said = []
    with observer(tmp_path, "refuse") as refusing, observer(tmp_path, "move") as moving:
        targets = {
            "TC_ALERT_A": f"{refusing.target}?token={canary}",
            "TC_ALERT_B": f"http://{canary}.invalid/",
            "TC_ALERT_C": f"exec:/nowhere/{canary} {canary}",
            "TC_ALERT_D": f"https://127.0.0.1:{refusing.port}/{canary}",
            "TC_ALERT_E": f"exec:{sys.executable} -c 'import sys; sys.exit(\"{canary}\")'",
            "TC_ALERT_F": f"{moving.target}/{canary}",
        }
        names = [name[-1].lower() for name in targets]
        sinks = sinks_of(names, targets, log_of(tmp_path / "alerts", RUN))
        said += [repr(sink) for sink in sinks]
        desk = desk_of(tmp_path / "alerts", {name: targets[f"TC_ALERT_{name.upper()}"] for name in names})
        desk.raise_alert(AlertKind.kill_activated, "killed")
        assert until(lambda: (tmp_path / "alerts" / f"{RUN}.jsonl").exists())
        assert until(lambda: len(entries_of(tmp_path / "alerts", "AlertFailed")) == len(names), 15)
        desk.close(2.0)
        for options in ((), ("--json",)):
            done = tc(tmp_path / "alerts", "test", *options, environment=targets)
            assert done.returncode == 1
            said += [done.stdout, done.stderr]
            done = tc(tmp_path / "alerts", "list", "--all", *options, environment=targets)
            assert done.returncode == 0
            said += [done.stdout, done.stderr]
        assert moving.seen() == [], "a redirect is not followed"
    for wrong in (canary, f"ftp://{canary}/", f"http://u:{canary}@h/", f"exec:'{canary}", f"http://h:{canary}/"):
        done = tc(tmp_path / "alerts", "test", "--sink", "x", environment={"TC_ALERT_X": wrong})
        assert done.returncode == 2
        assert "TC_ALERT_X" in done.stderr
        assert done.stderr.count("\n") == 1
        said.append(done.stderr)
    files = [path.read_text() for path in tmp_path.rglob("*") if path.is_file()]
    assert not [text for text in said + files if canary.lower() in text.lower()]


def tc(folder: Path, *arguments: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run `tc alerts` on a folder that need not be called alerts."""
    runtime = folder.parent / f"runtime-of-{folder.name}"
    runtime.mkdir(exist_ok=True)
    if not (runtime / "alerts").exists():
        (runtime / "alerts").symlink_to(folder)
    command = [sys.executable, "-P", "-m", "tc", "alerts", *arguments, "--runtime-root", str(runtime)]
    variables = {**os.environ, **(environment or {})}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=variables)


def test_alerts_are_listed_and_acknowledged_one_by_one(tmp_path) -> None:
    """`tc alerts list|ack`: open ones with age and who has seen them; an unknown id, or nobody named, exits 2."""
    assert tc(tmp_path, "list").stdout == "no alert is open\n"
    desk = desk_of(tmp_path, {})
    page = desk.raise_alert(AlertKind.node_dead, "pid 7 is gone", where="node", since_ns=time.time_ns() - 90 * 10**9)
    warning = desk.raise_alert(AlertKind.limit_warning, "half of it")
    over = desk.raise_alert(AlertKind.stale_data, "no bar")
    assert page is not None
    assert warning is not None
    assert over is not None
    desk.clear(AlertKind.stale_data)
    assert until(lambda: _has(tmp_path, "AlertCleared"))
    rows = tc(tmp_path, "list").stdout.splitlines()
    assert [row.split()[0] for row in rows] == ["ALERT", page.alert_id, warning.alert_id]
    assert "2 min" in rows[1]
    assert "nobody" in rows[1]
    assert "pid 7 is gone (node)" in rows[1]
    assert tc(tmp_path, "ack", page.alert_id, warning.alert_id, "--by", "ann").returncode == 2
    assert tc(tmp_path, "ack", "all", "--by", "ann").returncode == 2
    assert tc(tmp_path, "ack", page.alert_id, "--by", " ").returncode == 2
    assert tc(tmp_path, "ack", page.alert_id).returncode == 2
    assert tc(tmp_path, "ack", page.alert_id, "--by", "ann").returncode == 0
    again = tc(tmp_path, "ack", page.alert_id, "--by", "bob")
    assert again.returncode == 0
    assert "ann" in again.stdout
    listed = json.loads(tc(tmp_path, "list", RUN, "--json").stdout)
    assert [(one["alert_id"], one["acknowledged_by"]) for one in listed] == [
        (page.alert_id, "ann"),
        (warning.alert_id, None),
    ]
    desk.close()
    # Nobody is there any more who could clear it: what was seen is done.
    assert [row.split()[0] for row in tc(tmp_path, "list").stdout.splitlines()] == ["ALERT", warning.alert_id]
    everything = json.loads(tc(tmp_path, "list", "--all", "--json").stdout)
    assert {one["alert_id"]: one["open"] for one in everything} == {
        page.alert_id: False,
        warning.alert_id: True,
        over.alert_id: False,
    }


def test_an_unreadable_journal_is_not_an_empty_one(tmp_path) -> None:
    """`tc alerts list` of damaged alerts exits 5 and never says that none is open."""
    desk = desk_of(tmp_path, {})
    desk.raise_alert(AlertKind.node_dead, "gone")
    desk.close()
    data = bytearray((tmp_path / f"{RUN}.jsonl").read_bytes())
    data[100] ^= 1
    (tmp_path / f"{RUN}.jsonl").write_bytes(data)
    done = tc(tmp_path, "list")
    assert done.returncode == 5
    assert done.stdout == ""


def test_sinks_are_tried(tmp_path) -> None:
    """`tc alerts test`: per sink delivered or not, with latency; exit 1 if one did not take it, 2 without target."""
    with observer(tmp_path) as seen, observer(tmp_path, "refuse") as refusing:
        targets = {"TC_ALERT_PAGER_TWO": seen.target, "TC_ALERT_BAD": refusing.target}
        done = tc(tmp_path, "test", environment=targets)
        assert done.returncode == 1
        assert "pager-two: delivered (" in done.stdout
        assert "bad: NOT delivered: HTTP 503 (" in done.stdout
        assert "log: delivered (" in done.stdout
        one = tc(tmp_path, "test", "--sink", "pager-two", "--json", environment=targets)
        assert one.returncode == 0
        assert [(each["sink"], each["problem"]) for each in json.loads(one.stdout)] == [("pager-two", None)]
        assert len(seen.seen()) == 2
        assert tc(tmp_path, "test", "--sink", "log").returncode == 0
    missing = tc(tmp_path, "test", "--sink", "pager")
    assert missing.returncode == 2
    assert "TC_ALERT_PAGER is not set" in missing.stderr
