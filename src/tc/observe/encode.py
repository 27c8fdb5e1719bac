"""A page as bytes: plain text or OpenMetrics, plain or compressed; each is made once, when it is first asked for."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from threading import Lock
from typing import Literal

from prometheus_client.core import Metric
from prometheus_client.exposition import generate_latest as text_of
from prometheus_client.openmetrics.exposition import generate_latest as openmetrics_of
from prometheus_client.registry import Collector

Format = Literal["text", "openmetrics"]
CONTENT_TYPES: dict[Format, str] = {
    "text": "text/plain; version=0.0.4; charset=utf-8",
    "openmetrics": "application/openmetrics-text; version=1.0.0; charset=utf-8",
}
GZIP_LEVEL = 5


class _Once(Collector):
    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


class Encoded:
    """One rendering of a page; whoever asks for the same bytes shares them, from any thread."""

    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics: list[Metric] | None = metrics
        self._found: dict[tuple[Format, bool], bytes] = {}
        self._lock = Lock()

    def body(self, format: Format, *, is_gzip: bool = False) -> bytes:
        """Return the page's bytes."""
        key = (format, is_gzip)
        found = self._found.get(key)
        if found is None:
            with self._lock:
                found = self._found.get(key) or self._make(format, is_gzip=is_gzip)
                self._found[key] = found
        return found

    def _make(self, format: Format, *, is_gzip: bool) -> bytes:
        plain = self._found.get((format, False))
        if plain is None:
            assert self._metrics is not None
            source = _Once(self._metrics)
            render = openmetrics_of if format == "openmetrics" else text_of
            plain = render(source)
            self._found[format, False] = plain
        return gzip.compress(plain, GZIP_LEVEL, mtime=0) if is_gzip else plain
