"""What a metric family is: its name, type, unit, help, and the labels with what bounds each of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tc.model.histogram import LATENCY_BOUNDS

Kind = Literal["counter", "gauge", "histogram", "info"]
Page = Literal["fleet", "run", "exporter"]


@dataclass(frozen=True)
class Label:
    """A label: either all the values that it can have, which are all shown from the start, or what bounds them."""

    name: str
    values: tuple[str, ...] = ()
    bound: str = ""


@dataclass(frozen=True)
class Family:
    """One metric family, by the name that its samples have.

    `unit` is a base unit, empty for counts and states. A family that `appears` is left out until what it names exists;
    all others are there from a run's first scrape.
    """

    name: str
    kind: Kind
    help: str
    labels: tuple[Label, ...] = ()
    unit: str = ""
    buckets: tuple[float, ...] = ()
    appears: str = ""

    @property
    def label_names(self) -> tuple[str, ...]:
        """The labels' names, in their order."""
        return tuple(label.name for label in self.labels)


def counter(name: str, help: str, *labels: Label, unit: str = "", appears: str = "") -> Family:
    """Return a counter; its name ends in `_total`."""
    return Family(name, "counter", help, labels, unit, appears=appears)


def gauge(name: str, help: str, *labels: Label, unit: str = "", appears: str = "") -> Family:
    """Return a gauge."""
    return Family(name, "gauge", help, labels, unit, appears=appears)


def moment(name: str, help: str, *labels: Label, appears: str = "once it happened") -> Family:
    """Return a gauge that is a time; one that has not come is left out, never 0."""
    return Family(name, "gauge", help, labels, "seconds", appears=appears)


def histogram(
    name: str, help: str, *labels: Label, buckets: tuple[float, ...] = LATENCY_BOUNDS, appears: str = ""
) -> Family:
    """Return a histogram of seconds."""
    return Family(name, "histogram", help, labels, "seconds", buckets, appears)


def info(name: str, help: str, *labels: Label, appears: str = "") -> Family:
    """Return a family that is always 1 and says what it has to say in its labels."""
    return Family(name, "info", help, labels, appears=appears)
