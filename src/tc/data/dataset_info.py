"""What is known of a dataset besides its bars: the content of `dataset.json`."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from tc.errors import ArtifactCorrupt

SCHEMA = "tc.dataset/v1"
GAPS_LISTED_MAX = 20

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")

VolumeKind = Literal["base", "quote", "absent", "constant"]
VOLUME_KINDS: tuple[VolumeKind, ...] = ("base", "quote", "absent", "constant")


@dataclass(frozen=True)
class Gap:
    """Missing bars between two neighbors, both given by their close in UNIX nanoseconds."""

    ts_from: int
    ts_to: int
    missing_bars: int


@dataclass(frozen=True)
class GapSummary:
    """Every gap counted, the first `GAPS_LISTED_MAX` listed; gaps are reported, never filled."""

    count: int
    missing_bars: int
    largest_missing_bars: int
    first: tuple[Gap, ...]


@dataclass(frozen=True)
class Repair:
    """What one repair changed: the rule, how many rows, and the first lines of the source file."""

    rule: str
    count: int
    lines: tuple[int, ...]


@dataclass(frozen=True)
class Source:
    """Where the bars came from.

    `file` is a name without its folder and `digest` is `sha256:<hex>` of its bytes; both are None where there
    was no single file. `options` are the choices that turned the source into bars, as text.
    """

    kind: Literal["csv", "parquet", "binance", "catalog", "generated", "paper"]
    file: str | None
    digest: str | None
    options: dict[str, str]


@dataclass(frozen=True)
class DatasetInfo:
    """The identity card of a stored dataset.

    `fingerprint` is `sha256:<hex>` of the content, `parquet_digest` that of the stored file's bytes. Times
    are UNIX nanoseconds. `volume_constant` is a base quantity, present with volume `constant` alone.
    """

    name: str
    fingerprint: str
    rows: int
    ts_first: int
    ts_last: int
    step_ns: int
    price_precision: int
    volume: VolumeKind
    volume_constant: Decimal | None
    synthetic: bool
    source: Source
    gaps: GapSummary
    repairs: tuple[Repair, ...]
    ts_created: int
    parquet_digest: str

    def as_json(self) -> dict[str, Any]:
        """Return the content as JSON values; decimals are strings."""
        constant = None if self.volume_constant is None else format(self.volume_constant, "f")
        return {"schema": SCHEMA, **asdict(self), "volume_constant": constant}

    def to_bytes(self) -> bytes:
        """Return `dataset.json`: indented, keys in the order of the fields, one final newline."""
        return (json.dumps(self.as_json(), indent=2, ensure_ascii=False) + "\n").encode()


def info_from_bytes(data: bytes, path: Path) -> DatasetInfo:
    """Return what `to_bytes` wrote; raise ArtifactCorrupt naming `path` where it is anything else."""
    try:
        content = json.loads(data)
        schema = content.pop("schema")
        if schema != SCHEMA:
            raise ArtifactCorrupt(path, f"its schema was {schema!r}, expected {SCHEMA!r}")
        return _info(content)
    except (ValueError, TypeError, KeyError, AttributeError, ArithmeticError) as error:
        raise ArtifactCorrupt(path, f"it is not a dataset description ({type(error).__name__}: {error})") from error


def _info(content: dict[str, Any]) -> DatasetInfo:
    constant = content.pop("volume_constant")
    gaps = content.pop("gaps")
    listed = tuple(Gap(**gap) for gap in gaps.pop("first"))
    repairs = content.pop("repairs")
    source = content.pop("source")
    if content["volume"] not in VOLUME_KINDS:
        raise ValueError(f"volume was {content['volume']!r}")
    for field in ("fingerprint", "parquet_digest"):
        if not _DIGEST.fullmatch(content[field]):
            raise ValueError(f"{field} was {content[field]!r}")
    for field in ("rows", "ts_first", "ts_last", "step_ns", "price_precision", "ts_created"):
        if type(content[field]) is not int or content[field] < 0:
            raise ValueError(f"{field} was {content[field]!r}")
    return DatasetInfo(
        volume_constant=None if constant is None else Decimal(constant),
        gaps=GapSummary(first=listed, **gaps),
        repairs=tuple(Repair(entry["rule"], entry["count"], tuple(entry["lines"])) for entry in repairs),
        source=Source(**source),
        **content,
    )
