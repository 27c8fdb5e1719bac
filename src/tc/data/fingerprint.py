"""The fingerprint of a dataset: of its content, not of the file that happens to hold it."""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal

import numpy as np

from tc.data.bar_table import COLUMNS, BarTable
from tc.data.dataset_info import VolumeKind

FORMAT = "tc.dataset.content/v1"


def content_fingerprint(
    table: BarTable, *, price_precision: int, volume: VolumeKind, volume_constant: Decimal | None = None
) -> str:
    """Return `sha256:<hex>` of the bars and of what their numbers mean.

    Hashed are a versioned header (format, price precision, volume kind and constant, rows) and then the raw
    little-endian bytes of each column in the order of `COLUMNS`. Any changed value changes the result;
    compression and chunks of the Parquet file do not. Where the volume is absent or constant its column says
    nothing and counts as zeros.
    """
    header = {
        "format": FORMAT,
        "price_precision": price_precision,
        "volume": volume,
        "volume_constant": None if volume_constant is None else format(volume_constant.normalize(), "f"),
        "rows": len(table),
    }
    digest = hashlib.sha256(json.dumps(header, separators=(",", ":")).encode() + b"\n")
    for name in COLUMNS:
        column = getattr(table, name)
        if name == "volume" and volume in ("absent", "constant"):
            column = np.zeros_like(column)
        digest.update(np.ascontiguousarray(column, dtype=column.dtype.newbyteorder("<")).data)
    return f"sha256:{digest.hexdigest()}"
