"""The exporter's own page: what only the serving process knows, its disks, and the client library's process metrics."""

from __future__ import annotations

import os
import platform
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from prometheus_client.core import Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import CollectorRegistry

import tc
from tc.clock import SYSTEM_CLOCK
from tc.observe.exporter import Exporter
from tc.observe.sheet import Sample, Sheet
from tc.observe.trace import seconds


@dataclass
class ServerCounts:
    """What happened to requests and connections since the server began."""

    answered: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    connections: int = 0
    dropped: int = 0
    began_s: float = field(default_factory=lambda: seconds(SYSTEM_CLOCK.now_ns()))


def own_sheet(exporter: Exporter, counts: ServerCounts) -> list[Metric]:
    """Return the page's families."""
    sheet = Sheet("exporter")
    sheet.put(_samples(exporter, counts))
    return [*sheet.metrics(), *ProcessCollector(registry=CollectorRegistry()).collect()]


def _samples(exporter: Exporter, counts: ServerCounts) -> Iterator[Sample]:
    index = exporter.index
    yield "tc_exporter_info", (tc.__version__, platform.python_version()), 1.0
    yield "tc_exporter_start_timestamp_seconds", (), counts.began_s
    for name, values in (
        ("tc_exporter_requests_total", counts.answered),
        ("tc_exporter_requests_failed_total", counts.failed),
        ("tc_exporter_renders_total", exporter.renders),
        ("tc_exporter_write_failures_total", exporter.write_failures),
        ("tc_exporter_read_failures_total", index.counts.failures),
    ):
        for label, count in list(values.items()):
            yield name, (label,), float(count)
    yield "tc_exporter_render_seconds", (), exporter.render_seconds
    yield "tc_exporter_connections", (), float(counts.connections)
    yield "tc_exporter_connections_dropped_total", (), float(counts.dropped)
    yield "tc_exporter_index_runs", (), float(index.size)
    yield "tc_exporter_index_ready", (), float(index.is_ready)
    yield "tc_exporter_runs_read_total", (), float(index.counts.read)
    for root in ("artifacts", "runtime"):
        try:
            found = os.statvfs(getattr(exporter.roots, root))
        except OSError:
            continue
        yield "tc_disk_free_bytes", (root,), float(found.f_bavail * found.f_frsize)
        yield "tc_disk_size_bytes", (root,), float(found.f_blocks * found.f_frsize)
