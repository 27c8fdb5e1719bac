"""A page being filled: values by family and labels, checked against the catalogue, zeros where nothing is known."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import product

from prometheus_client.core import Metric

from tc.model.histogram import Histogram
from tc.observe.catalogue import PAGES, by_name
from tc.observe.family import Family, Page

LABEL_LENGTH_MAX = 200

type Value = float | Histogram
type Key = tuple[str, tuple[str, ...]]
type Sample = tuple[str, tuple[str, ...], Value]


class Sheet:
    """The values of one page."""

    def __init__(self, page: Page) -> None:
        self._families = by_name(page)
        self._values: dict[str, dict[tuple[str, ...], Value]] = {family.name: _zeros(family) for family in PAGES[page]}

    def put(self, samples: Iterable[Sample]) -> None:
        """Take samples; a later one of the same series replaces the earlier.

        Raises:
            ValueError: a value is not a finite number, or is a counter's and below zero.
        """
        for name, labels, value in samples:
            family = self._families[name]
            assert len(labels) == len(family.labels), f"the labels of {name}"
            if not isinstance(value, Histogram) and (
                not math.isfinite(value) or (family.kind == "counter" and value < 0)
            ):
                raise ValueError(f"{name} would be {value}")
            self._values[name][tuple(map(label_text, labels))] = value

    def get(self, name: str, *labels: str) -> Value:
        """Return a value that was put."""
        return self._values[name][labels]

    def metrics(self) -> list[Metric]:
        """Return the families that have a sample, in the catalogue's order; series in the order of their labels."""
        return [_metric(self._families[name], values) for name, values in self._values.items() if values]


def label_text(text: str) -> str:
    """Return a label's value that every format can hold: of bounded length, without lone surrogates."""
    return text[:LABEL_LENGTH_MAX].encode("utf-8", "replace").decode()


def states(name: str, chosen: str, values: Iterable[str], *before: str) -> list[Sample]:
    """Return one series a value: 1 for the chosen one, 0 for the rest."""
    return [(name, (*before, value), float(value == chosen)) for value in values]


def _zeros(family: Family) -> dict[tuple[str, ...], Value]:
    if family.appears or any(not label.values for label in family.labels):
        return {}
    return {
        labels: Histogram(family.buckets) if family.kind == "histogram" else 0.0
        for labels in product(*(label.values for label in family.labels))
    }


def _metric(family: Family, values: dict[tuple[str, ...], Value]) -> Metric:
    base = family.name.removesuffix({"counter": "_total", "info": "_info"}.get(family.kind, ""))
    metric = Metric(base, family.help, family.kind, family.unit)
    for labels, value in sorted(values.items()):
        named = dict(zip(family.label_names, labels, strict=True))
        if isinstance(value, Histogram):
            for bound, count in value.cumulative():
                metric.add_sample(f"{base}_bucket", {**named, "le": "+Inf" if bound is None else str(bound)}, count)
            metric.add_sample(f"{base}_count", named, value.count)
            metric.add_sample(f"{base}_sum", named, value.total)
        else:
            metric.add_sample(family.name, named, value)
    return metric
