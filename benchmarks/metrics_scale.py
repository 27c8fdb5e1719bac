"""A scrape of a thousand to twenty thousand full runs, beside a renderer that reads all of them each time."""

from __future__ import annotations

import gzip
import json
import os
import select
import shutil
import socket
import statistics
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from fixture import SCRATCH, tc
from measure import PYTHON, report
from metrics_rereading import render

COUNTS = (1_000, 5_000, 20_000)
SIDE_BY_SIDE = (1_000, 5_000)
SCRAPES = 30
ROUNDS = 41
WARM_S_MAX, COLD_S_MAX, MIB_MAX, PACKED_BYTES_MAX = 0.1, 10.0, 150, 1 << 20
FLAT_MAX, TOGETHER_MAX = 1.5, 1.3
OWN = ("metadata.json", "metrics.json")
_ASK = b"GET /metrics HTTP/1.1\r\nAccept: application/openmetrics-text\r\nAccept-Encoding: gzip\r\n\r\n"


class Together(NamedTuple):
    """What it took until all who asked at once had their page, and what asking took."""

    wall_s: float
    client_cpu_s: float


def measure() -> None:
    """Print every promised bound."""
    folder = SCRATCH / "metrics"
    shutil.rmtree(folder, ignore_errors=True)
    source = _real_run(folder)
    ports: dict[int, int] = {}
    with ExitStack() as held:
        for count in COUNTS:
            roots = folder / f"runs-{count}"
            _many(source, roots / "artifacts/runs", count)
            ports[count], warm_s = _serve(roots, count, held)
            if count in SIDE_BY_SIDE:
                _beside(roots / "artifacts/runs", count, warm_s)
        _report_flat(ports)
    shutil.rmtree(folder)


def _serve(roots: Path, count: int, held: ExitStack) -> tuple[int, float]:
    """Return the port of a server that lives until `held` ends, and how long a scrape took."""
    name = f"{count:,} runs"
    process, port, cold_s = held.enter_context(_served(roots))
    cold_s_max = COLD_S_MAX * max(1.0, count / 5_000)
    report(f"{name}: read for the first time", f"{cold_s:.2f} s", f"< {cold_s_max:.0f} s", holds=cold_s < cold_s_max)
    one = statistics.median(_scrape(port)[0] for _ in range(SCRAPES))
    packed = len(_scrape(port)[1])
    found = f"{one * 1e3:.1f} ms, {packed / 1024:.1f} KiB compressed"
    holds = one < WARM_S_MAX and packed < PACKED_BYTES_MAX
    report(f"{name}: a scrape", found, f"< {WARM_S_MAX * 1e3:.0f} ms, < 1 MB", holds=holds)
    _report_together(name, [(_at_once(port, 1), _at_once(port, 4)) for _ in range(ROUNDS)])
    runs = roots / "artifacts/runs"
    _copy(runs / "run-00000", runs / "the-next", {"ended": "2026-02-01T00:00:00.000000000Z"})
    seen = b'run_id="the-next"' in gzip.decompress(_scrape(port)[1])
    report(f"{name}: one more ends", "at the next scrape" if seen else "unseen", "at the next scrape", holds=seen)
    peak = _peak_mib(process.pid)
    report(f"{name}: memory of the exporter", f"{peak:.0f} MiB", f"< {MIB_MAX} MiB", holds=peak < MIB_MAX)
    return port, one


def _report_flat(ports: dict[int, int]) -> None:
    """Ask all of them in turn, so that what the machine does meanwhile falls on each alike."""
    rounds = [[_scrape(port)[0] for port in ports.values()] for _ in range(ROUNDS)]
    warm = [statistics.median(times) for times in zip(*rounds, strict=True)]
    found = ", ".join(f"{seconds * 1e3:.1f}" for seconds in warm)
    holds = max(warm) / min(warm) <= FLAT_MAX
    report("a scrape at 1,000, 5,000, 20,000 runs", f"{found} ms", f"within {FLAT_MAX}x", holds=holds)


def _beside(runs: Path, count: int, ours_s: float) -> None:
    began = time.perf_counter()
    page = render(str(runs))
    theirs_s = time.perf_counter() - began
    report(
        f"{count:,} runs: beside one that re-reads everything",
        f"{theirs_s:.2f} s and {len(page) / 1e6:.1f} MB, {theirs_s / ours_s:,.0f}x",
        ">= 10x",
        holds=theirs_s / ours_s >= 10,
    )


@contextmanager
def _served(roots: Path) -> Iterator[tuple[subprocess.Popen[str], int, float]]:
    command = [PYTHON, "-P", "-m", "tc", "metrics", "serve", "--port", "0"]
    places = {"TC_ARTIFACTS_ROOT": str(roots / "artifacts"), "TC_RUNTIME_ROOT": str(roots / "runtime")}
    began = time.perf_counter()
    process = subprocess.Popen(command, env=os.environ | places, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline().split("/metrics")[0].rpartition(":")[2])
        for line in process.stdout:
            done, _, total = line.removeprefix("read ").removesuffix(" runs\n").partition(" of ")
            if done == total:
                break
        yield process, port, time.perf_counter() - began
    finally:
        process.terminate()
        process.wait()


def _scrape(port: int) -> tuple[float, bytes]:
    """Return how long a scrape on a connection of its own took, and its body."""
    began = time.perf_counter()
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(_ASK)
        found = b""
        while True:
            found += client.recv(1 << 20)
            if _is_whole(found):
                return time.perf_counter() - began, found.partition(b"\r\n\r\n")[2]


def _report_together(name: str, rounds: list[tuple[Together, Together]]) -> None:
    ratios = sorted(four.wall_s / one.wall_s for one, four in rounds)
    ratio, nine_in_ten = statistics.median(ratios), ratios[len(ratios) * 9 // 10]
    one_ms, four_ms, own_ms = (
        statistics.median(times) * 1e3
        for times in zip(*((one.wall_s, four.wall_s, four.client_cpu_s) for one, four in rounds), strict=True)
    )
    found = f"{ratio:.2f}x, nine in ten {nine_in_ten:.2f}x ({one_ms:.1f}, {four_ms:.1f} ms, asking {own_ms:.1f} ms CPU)"
    holds = ratio <= TOGETHER_MAX
    report(f"{name}: four scrapes at once beside one", found, f"<= {TOGETHER_MAX}x", holds=holds)


def _at_once(port: int, clients: int) -> Together:
    """Return how long it took until so many clients, who asked at the same moment, all had their page.

    One thread asks for all of them and waits without using a core, so that what it takes itself is small, and told.
    """
    open_ones = [socket.create_connection(("127.0.0.1", port)) for _ in range(clients)]
    found = dict.fromkeys(open_ones, b"")
    began, cpu_s = time.perf_counter(), time.process_time()
    for client in open_ones:
        client.sendall(_ASK)
    while found:
        for client in select.select(list(found), [], [])[0]:
            found[client] += client.recv(1 << 20)
            if _is_whole(found[client]):
                del found[client]
    passed = Together(time.perf_counter() - began, time.process_time() - cpu_s)
    for client in open_ones:
        client.close()
    return passed


def _is_whole(answer: bytes) -> bool:
    head, end, body = answer.partition(b"\r\n\r\n")
    return bool(end) and len(body) == int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])


def _real_run(folder: Path) -> Path:
    """Return a sealed run that was really run."""
    roots = ["--runtime-root", str(folder / "runtime")]
    places = [*roots, "--artifacts-root", str(folder / "artifacts")]
    spec = Path(__file__).parents[1] / "runspecs/demo.yaml"
    wanted = ["--seed", "7", "--bars", "43200", "--start", "2024-01-01", "--price", "42000", "--price-precision", "1"]
    subprocess.run(tc("data", "generate", "--name", "demo-btc-1m", *wanted, *roots), check=True, capture_output=True)
    subprocess.run(tc("run", str(spec), "--run-id", "real", *places), check=True, capture_output=True)
    return folder / "artifacts/runs/real"


def _many(source: Path, runs: Path, count: int) -> None:
    runs.mkdir(parents=True)
    for number in range(count):
        minute = f"2026-01-{1 + number // 1440:02d}T{number // 60 % 24:02d}:{number % 60:02d}:00.000000000Z"
        _copy(source, runs / f"run-{number:05d}", {"ended": minute})


def _copy(source: Path, target: Path, changes: dict[str, str]) -> None:
    """Make a full run of another's: its own identity and numbers, and links to the rest, which nobody changes."""
    target.mkdir()
    for file in source.iterdir():
        if file.name in OWN:
            document = json.loads(file.read_bytes()) | {"run_id": target.name} | changes
            (target / file.name).write_text(json.dumps(document, indent=2))
        elif file.is_file():
            os.link(file, target / file.name)


def _peak_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024
