"""Cells of a column to values: the ones that do not read are marked, so that their lines can be named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from numpy.typing import NDArray

CELL_SHOWN_MAX = 40


def cast_cells(column: Any, kind: Any, shape: str) -> tuple[Any, NDArray[np.bool_]]:
    """Return the arrow array cast to `kind`, null where a cell does not read, and the mask of those cells.

    Text must match the regular expression `shape` whole. What passes that and still does not read, such as
    a 31st of February, is found by the cast itself: halves that fail are cast again until single cells are
    left.
    """
    if pa.types.is_string(column.type):
        has_shape = pc.match_substring_regex(column, f"^(?:{shape})$")
        column = pc.if_else(has_shape, column, pa.scalar(None, pa.string()))
    pieces: list[Any] = []
    _cast(column, kind, pieces)
    values = pa.concat_arrays(pieces) if pieces else column.cast(kind)
    return values, as_mask(pc.is_null(values))


def as_mask(array: Any) -> NDArray[np.bool_]:
    """Return a boolean arrow array as an own numpy mask."""
    return np.array(array.to_numpy(zero_copy_only=False), dtype=np.bool_)


def as_integers(array: Any) -> NDArray[np.int64]:
    """Return an int64 arrow array as an own numpy array, 0 where it is null."""
    return np.array(pc.fill_null(array, 0).to_numpy(zero_copy_only=False), dtype=np.int64)


def as_floats(array: Any) -> NDArray[np.float64]:
    """Return a float64 arrow array as an own numpy array, NaN where it is null; minus zero becomes zero."""
    return np.array(pc.fill_null(array, float("nan")).to_numpy(zero_copy_only=False), dtype=np.float64) + 0.0


def shown(cell: Any) -> str:
    """Return a cell as messages quote it, cut where it is long."""
    text = repr(cell)
    return text if len(text) <= CELL_SHOWN_MAX else f"{text[:CELL_SHOWN_MAX]}..."


def _cast(column: Any, kind: Any, pieces: list[Any]) -> None:
    if not len(column):
        return
    try:
        pieces.append(column.cast(kind))
    except pa.ArrowInvalid:
        if len(column) == 1:
            pieces.append(pa.nulls(1, kind))
            return
        half = len(column) // 2
        _cast(column.slice(0, half), kind, pieces)
        _cast(column.slice(half), kind, pieces)
