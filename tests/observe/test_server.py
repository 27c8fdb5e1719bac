"""The server: bounds on everything a client can do, a token beyond this machine, and one render for all who ask."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support.observe_lab import Serving, copy_run, serving, value
from support.run_lab import Lab
from support.venue_process import until
from tc.errors import TcError
from tc.observe.flight import Flights
from tc.observe.http import HEAD_BYTES_MAX, BadRequest, parse_request
from tc.observe.server import CONNECTIONS_MAX, LOOK_S
from tc.observe.serving import ServeRequest, serve_metrics
from tc.store.roots import Roots
from tc.store.run_directory import RunDirectory

TOKEN = "not-a-secret-of-anybody"
SCRAPE_S = 4.0  # less than a client is waited for that says nothing
MANY = 1_500
ROUNDS = 40
SPLIT_MAX = 3
"""So many renders for a round of eight, on a machine that is busy with other things."""


@pytest.fixture
def server(sealed: RunDirectory, roots: Roots) -> Iterator[Serving]:
    """Return a server with a run."""
    copy_run(sealed, roots, "run")
    with serving(roots) as found:
        yield found


def connected(port: int, count: int, data: bytes = b"") -> list[socket.socket]:
    """Return connections that said so much."""
    found = []
    for _ in range(count):
        client = socket.create_connection(("127.0.0.1", port), timeout=20)
        client.sendall(data)
        found.append(client)
    return found


def answer(port: int, data: bytes, timeout_s: float = 20.0) -> bytes:
    """Return all that comes back until the server ends the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout_s) as client:
        client.sendall(data)
        found = b""
        while block := client.recv(65536):
            found += block
        return found


def scraped(server: Serving) -> float:
    """Return how long a scrape took, which must succeed."""
    began = time.monotonic()
    assert value(server.page(), "tc_fleet_runs") == 1
    return time.monotonic() - began


@pytest.mark.parametrize("said", [b"", b"GET /metrics HTTP/1.1\r\nX: "], ids=["nothing", "half a request"])
def test_two_hundred_idle_clients_stall_nobody(said: bytes, server: Serving) -> None:
    """Connected and silent, or in the middle of a request: a scrape comes through at once, and they are put out."""
    idle = connected(server.port, 200, said)
    assert max(scraped(server) for _ in range(5)) < SCRAPE_S
    page = server.page("/metrics/exporter")
    assert value(page, "tc_exporter_connections") <= CONNECTIONS_MAX
    assert value(page, "tc_exporter_connections_dropped_total") >= 200 - CONNECTIONS_MAX
    until(lambda: value(server.page("/metrics/exporter"), "tc_exporter_connections") <= 2, "they were not put out")
    page = server.page("/metrics/exporter")
    assert value(page, "tc_exporter_requests_failed_total", reason="too_slow") >= 100
    for client in idle:
        client.close()


def test_a_head_of_any_size_is_refused(server: Serving) -> None:
    """Above eight kilobytes it is not read on, whether it ends or not."""
    large = b"GET /metrics HTTP/1.1\r\nX: " + b"x" * 100_000
    for data in (large, large + b"\r\n\r\n", b"x" * 1_000_000):
        try:
            found = answer(server.port, data)
        except ConnectionError:  # it had closed before all of it was sent
            found = b"HTTP/1.1 431"
        assert found.startswith(b"HTTP/1.1 431") or not found
    assert scraped(server) < SCRAPE_S


HEADS = (
    b"\r\n\r\n", b"GET\r\n\r\n", b"GET /metrics\r\n\r\n", b"GET /metrics HTTP/2\r\n\r\n", b"\xff\xfe\r\n\r\n",
    b"GET http://elsewhere/ HTTP/1.1\r\n\r\n", b"POST /metrics HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello",
    b"GET /metrics HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", b"GET /metrics HTTP/1.1\r\nno colon\r\n\r\n",
    b"DELETE /metrics HTTP/1.1\r\n\r\n", b"GET /metrics HTTP/1.1\r\n folded: x\r\n\r\n",
)  # fmt: skip


def test_what_is_no_scrape_gets_an_error_and_no_more(server: Serving) -> None:
    """Every one ends with a status of four hundred and something, and the next client is served."""
    for head in HEADS:
        assert answer(server.port, head).startswith(b"HTTP/1.1 4"), head
        assert scraped(server) < SCRAPE_S


def test_paths_lead_nowhere_else(server: Serving) -> None:
    """A run id that climbs, one that is absolute, one that is none: not found, whatever lies there."""
    for path in ("/metrics/run/../../etc/passwd", "/metrics/run//etc/passwd", "/metrics/run/", "/metrics/run/%2e%2e",
                 "/metrics/x", "/favicon.ico", "/metrics/run/" + "x" * 4000):  # fmt: skip
        assert server.get(path)[0] == 404
    assert server.get("/")[0] == 200


def test_a_client_that_does_not_read_holds_nobody_up(sealed: RunDirectory, roots: Roots) -> None:
    """It asks for page after page and takes none; others are served meanwhile."""
    for number in range(100):
        copy_run(sealed, roots, f"run-{number}")
    with serving(roots) as server:
        asking = b"GET /metrics HTTP/1.1\r\n\r\n" * 40
        greedy = connected(server.port, 20, asking)
        for _ in range(5):
            began = time.monotonic()
            assert value(server.page(), "tc_fleet_runs") == 100
            assert time.monotonic() - began < SCRAPE_S
        for client in greedy:
            client.close()


def test_connections_are_kept_and_answers_follow_requests(server: Serving) -> None:
    """Two requests on one connection get two answers; HEAD has the length and no body."""
    asked = b"HEAD /metrics HTTP/1.1\r\n\r\nGET /metrics/run/run HTTP/1.1\r\nConnection: close\r\n\r\n"
    found = answer(server.port, asked)
    assert found.count(b"HTTP/1.1 200 OK") == 2
    assert found.count(b"Content-Length: 0") == found.count(b"# EOF") == 0
    assert found.count(b"# HELP tc_run_info") == 1
    assert b"tc_run_sealed 1.0" in found


def test_a_head_is_parsed_within_its_bounds() -> None:
    """What the reader lets through is at most eight kilobytes; more than 64 header lines are refused."""
    assert HEAD_BYTES_MAX == 8192
    with pytest.raises(BadRequest):
        parse_request(b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 100 + b"\r\n")
    found = parse_request(b"GET /metrics?x=1 HTTP/1.1\r\nAccept-Encoding: br, gzip;q=0\r\n\r\n")
    assert (found.path, found.wants_gzip, found.is_kept_alive) == ("/metrics", False, True)


def refused(roots: Roots) -> tuple[int, str]:
    """Return with what exit code and which words another `tc metrics serve` ends."""
    command = [sys.executable, "-P", "-m", "tc", "metrics", "serve", "--port", "0"]
    places = ["--artifacts-root", str(roots.artifacts), "--runtime-root", str(roots.runtime)]
    done = subprocess.run([*command, *places], capture_output=True, text=True, check=False, timeout=30)
    return done.returncode, done.stderr


def refusal(folder: Path, host: str, token: Path | None, *, allow_remote: bool) -> TcError:
    """Return why `tc metrics serve` does not start."""
    roots = Roots(folder / "artifacts", folder / "runtime")
    with pytest.raises(TcError) as found:
        serve_metrics(ServeRequest(roots, host, 0, token, None, None, allow_remote=allow_remote), say=print, log=print)
    return found.value


def test_beyond_this_machine_only_when_told_and_with_a_token(tmp_path: Path) -> None:
    """Every address that others can reach is refused without both; a token that is none is bad input."""
    token = tmp_path / "token"
    token.write_text(TOKEN)
    for host in ("0.0.0.0", "::", "192.0.2.1", "example.invalid"):
        for given, allowed in ((None, False), (None, True), (token, False)):
            fault = refusal(tmp_path, host, given, allow_remote=allowed)
            assert (fault.exit_code, "--allow-remote" in str(fault)) == (3, True)
    for text in ("", "short", "two words of some length"):
        token.write_text(text)
        fault = refusal(tmp_path, "0.0.0.0", token, allow_remote=True)
        assert (fault.exit_code, "holds no token" in str(fault)) == (2, True)
        assert not text or text not in str(fault)
    assert refusal(tmp_path, "127.0.0.1", tmp_path / "none", allow_remote=False).exit_code == 2


def test_a_token_is_asked_of_everybody_and_never_told(sealed: RunDirectory, roots: Roots, tmp_path: Path) -> None:
    """Without it, or with another, nothing is served, on any page; it stands in no line of the log."""
    copy_run(sealed, roots, "run")
    token = tmp_path / "token"
    token.write_text(f"{TOKEN}\n")
    with serving(roots, "--host", "0.0.0.0", "--allow-remote", "--token-file", str(token)) as server:
        for path in ("/", "/metrics", "/metrics/run/run", "/metrics/exporter"):
            for shown in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}):
                status, headers, body = server.get(path, **shown)
                assert (status, headers["www-authenticate"], b"tc_" in body) == (401, "Bearer", False)
            assert server.get(path, Authorization=f"Bearer {TOKEN}")[0] == 200
    assert TOKEN not in "".join(server.lines)


def test_a_port_that_is_taken_is_named(server: Serving, tmp_path: Path) -> None:
    """Exit 4, with the port, and no traceback."""
    done = Lab(tmp_path).tc("metrics", "serve", "--port", str(server.port), timeout=30)
    assert done.returncode == 4
    assert str(server.port) in done.stderr
    assert "Traceback" not in done.stderr


def test_one_folder_of_targets_has_one_exporter(server: Serving, roots: Roots, tmp_path: Path) -> None:
    """A second one would take the runs from the first: exit 4, and who it is; with a folder of its own it serves."""
    targets = roots.runtime / "metrics" / "file_sd" / "fleet.json"
    server.page()
    before = targets.read_bytes()
    code, words = refused(roots)
    assert (code, f"pid {server.process.pid} " in words) == (4, True), words
    with serving(roots, "--file-sd", str(tmp_path / "sd")) as another:
        assert value(another.page(), "tc_fleet_runs") == 1
    assert targets.read_bytes() == before


def test_who_stops_it_does_not_wait_until_all_runs_are_read(sealed: RunDirectory, roots: Roots) -> None:
    """Told to end while it reads fifteen hundred runs for the first time, it reads at most a few hundred more."""
    for number in range(MANY):
        copy_run(sealed, roots, f"run-{number}")
    with serving(roots) as server:
        assert server.process.stdout is not None
        assert server.process.stdout.readline() == "read 250 of 1,500 runs\n"
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(20) == 0
        assert "read 1,500" not in server.process.stdout.read()
    assert server.lines == []


def test_a_place_without_runs_is_named(tmp_path: Path) -> None:
    """A mistyped root is said at once and served, for runs may come; one that is a file is bad input."""
    with serving(Roots(tmp_path / "none", tmp_path / "runtime")) as server:
        assert value(server.page(), "tc_fleet_runs") == 0
    assert any(f"there are no runs in {tmp_path / 'none' / 'runs'} yet" in line for line in server.lines)
    (tmp_path / "file").touch()
    code, words = refused(Roots(tmp_path / "file", tmp_path / "runtime"))
    assert (code, "is no folder" in words) == (2, True), words


def test_those_who_ask_together_share_one_render() -> None:
    """Work that is asked for while it is done is done once, and everybody gets what it gave; then it is done anew."""
    flights, calls, may_end = Flights(), [], threading.Event()

    def work() -> int:
        calls.append(1)
        may_end.wait(5)
        return len(calls)

    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(flights.share, "page", work) for _ in range(4)]
        time.sleep(0.1)
        may_end.set()
        assert [each.result() for each in asked] == [1, 1, 1, 1]
    assert flights.share("page", work) == 2


def test_clients_of_the_same_moment_wait_for_one_render(server: Serving) -> None:
    """However often eight ask at once, a page is made once for each time; a look that nobody asked for now and then."""
    server.page()
    before = value(server.page("/metrics/exporter"), "tc_exporter_renders_total", page="fleet")
    began = time.monotonic()
    for _ in range(ROUNDS):
        clients = connected(server.port, 8)
        for client in clients:
            client.sendall(b"GET /metrics HTTP/1.1\r\nConnection: close\r\n\r\n")
        for client in clients:
            while client.recv(65536):
                pass
            client.close()
    looks = (time.monotonic() - began) / LOOK_S + 2
    renders = value(server.page("/metrics/exporter"), "tc_exporter_renders_total", page="fleet") - before
    assert ROUNDS <= renders <= ROUNDS * SPLIT_MAX + looks


def test_a_render_that_fails_fails_for_all_who_wait_and_not_for_the_next() -> None:
    """A fault is raised to each of them, and nothing of it is kept."""
    flights = Flights()

    def fail() -> int:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        flights.share("page", fail)
    assert flights.share("page", lambda: 7) == 7


def test_prometheus_finds_every_run_as_a_target(sealed: RunDirectory, roots: Roots, tmp_path: Path) -> None:
    """file_sd names both pages of the fleet, and each run with its path and labels; a new one is there in seconds."""
    copy_run(sealed, roots, "one", name="first")
    folder = tmp_path / "sd"
    with serving(roots, "--file-sd", str(folder), "--advertise", "host.docker.internal:9464") as server:
        server.page()
        fleet, runs = (json.loads((folder / name).read_bytes()) for name in ("fleet.json", "runs.json"))
        assert [group["labels"]["__metrics_path__"] for group in fleet] == ["/metrics", "/metrics/exporter"]
        assert runs == [
            {
                "targets": ["host.docker.internal:9464"],
                "labels": {"__metrics_path__": "/metrics/run/one", "job": "tc-run", "run_id": "one",
                           "run_name": "first", "mode": "backtest"},
            }
        ]  # fmt: skip
        for group in fleet + runs:
            assert server.get(group["labels"]["__metrics_path__"])[0] == 200
        copy_run(sealed, roots, "two")
        deadline = time.monotonic() + 15
        while len(json.loads((folder / "runs.json").read_bytes())) < 2:
            assert time.monotonic() < deadline, "nobody scraped, and the new run was never noticed"
            time.sleep(0.2)
