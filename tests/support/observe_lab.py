"""Many runs from one real one, the metrics server as a process of its own, and a client that looks closely."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prometheus_client.openmetrics.parser import text_string_to_metric_families as strict_families
from prometheus_client.parser import text_string_to_metric_families as plain_families

from tc.clock import SYSTEM_CLOCK
from tc.observe.exporter import Exporter
from tc.store.roots import Roots
from tc.store.run_directory import MANIFEST, METADATA, METRICS, RECONCILIATION, RunDirectory

OPENMETRICS = {"Accept": "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3"}
KEPT = (METADATA, METRICS, RECONCILIATION, MANIFEST)


def copy_run(source: RunDirectory, roots: Roots, run_id: str, **changes: Any) -> RunDirectory:
    """Return a sealed run that is another one's numbers under an id of its own, with changes of its metadata."""
    run = RunDirectory(roots, run_id)
    run.path.mkdir(parents=True)
    for name in KEPT:
        shutil.copyfile(source.file(name), run.file(name))
    for name in (METADATA, METRICS):
        document = json.loads(run.file(name).read_bytes()) | {"run_id": run_id}
        document |= {key: value for key, value in changes.items() if key in document}
        run.file(name).write_text(json.dumps(document))
    return run


def exporter_of(roots: Roots, log: list[str] | None = None) -> Exporter:
    """Return an exporter that has read everything; its log goes into the list."""
    exporter = Exporter(roots, log=(log if log is not None else []).append, clock=SYSTEM_CLOCK)
    exporter.begin()
    return exporter


type Series = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def series_of(body: bytes, *, is_strict: bool = False) -> Series:
    """Return every sample of a page; a series that stands in it twice is an error."""
    families = (strict_families if is_strict else plain_families)(body.decode())
    found: Series = {}
    for family in families:
        for sample in family.samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            assert key not in found, f"{key} stands there twice"
            found[key] = sample.value
    return found


def value(body: bytes, name: str, **labels: str) -> float:
    """Return the sum of the samples with a name and at least these labels; there must be one."""
    found = [
        each
        for (sample, held), each in series_of(body).items()
        if sample == name and labels.items() <= dict(held).items()
    ]
    assert found, f"there is no {name} {labels}"
    return sum(found)


@dataclass
class Serving:
    """A server that runs; `lines` are what it said on stderr, once it has ended."""

    process: subprocess.Popen[str]
    port: int
    lines: list[str] = field(default_factory=list)

    def get(self, path: str, timeout_s: float = 10.0, **headers: str) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers by lower-case name, and body of a GET."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)
        try:
            named = {name.replace("_", "-"): text for name, text in headers.items()}
            connection.request("GET", path, headers=named)
            answer = connection.getresponse()
            return answer.status, {name.lower(): text for name, text in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def page(self, path: str = "/metrics") -> bytes:
        """Return a page that must be there."""
        status, _, body = self.get(path)
        assert status == 200, body
        return body


@contextmanager
def serving(roots: Roots, *options: str) -> Iterator[Serving]:
    """Run `tc metrics serve` at a free port until the block ends; it must end cleanly."""
    command = [sys.executable, "-P", "-m", "tc", "metrics", "serve", "--port", "0", *options]
    environment = os.environ | {"TC_ARTIFACTS_ROOT": str(roots.artifacts), "TC_RUNTIME_ROOT": str(roots.runtime)}
    log = roots.runtime.parent / "serve.log"
    with log.open("w") as errors:
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True)
        found = Serving(process, 0)
        try:
            assert process.stdout is not None
            said = process.stdout.readline()
            assert "http://" in said, (said, log.read_text())
            found.port = int(said.split("/metrics")[0].rpartition(":")[2])
            yield found
            process.terminate()
            assert process.wait(20) == 0
        finally:
            process.kill()
            process.communicate()
            found.lines = log.read_text().splitlines()


def promtool(body: bytes, tool: str = "promtool") -> str:
    """Return what Prometheus's own linter says of a page; nothing where it is clean."""
    done = subprocess.run([tool, "check", "metrics"], input=body, capture_output=True, check=False)
    return (done.stdout + done.stderr).decode() if done.returncode else ""


def paths_of(folder: Path) -> list[str]:
    """Return the names of what lies in a folder."""
    return sorted(path.name for path in folder.iterdir())
