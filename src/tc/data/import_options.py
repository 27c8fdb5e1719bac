"""What an operator says of a source: the facts that the file itself does not tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from tc.data.dataset_info import VolumeKind
from tc.data.finding import RepairChoice

Stamp = Literal["open", "close"]
TimeUnit = Literal["auto", "s", "ms", "us", "ns", "iso"]


@dataclass(frozen=True)
class ImportOptions:
    """The reading of a source.

    `stamp` says whether a row's time is the bar's open or its close; CSV and Parquet need it, because nothing
    in a file tells, and an open taken for a close lets a strategy see the future. `columns` maps roles to
    names where detection by name does not do. `zone` is the IANA zone of times without an offset, by default
    UTC. `step_ns` and `price_precision` are detected where None. `repairs` are applied to bad rows.
    """

    stamp: Stamp | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    time_unit: TimeUnit = "auto"
    zone: str | None = None
    step_ns: int | None = None
    price_precision: int | None = None
    volume: VolumeKind = "base"
    volume_constant: Decimal | None = None
    repairs: frozenset[RepairChoice] = frozenset()
