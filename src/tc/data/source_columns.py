"""The columns of a source, brought together by role and read into rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow.compute as pc

from tc.data.bar_table import PRICE_COLUMNS
from tc.data.candidate import CandidateRows, RaggedRow, Unread
from tc.data.description import EMPTY_VOLUME
from tc.data.number_column import read_numbers, written_decimals
from tc.data.source_file import SourceFile
from tc.data.time_column import TimeColumn
from tc.errors import DatasetInvalid

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class SourceColumns:
    """The columns of a source by role, not yet read; `names` are what messages call them."""

    file: SourceFile
    kind: Literal["csv", "parquet", "binance"]
    cells: Mapping[str, Any]
    names: Mapping[str, str]
    line: NDArray[np.int64]
    ragged: tuple[RaggedRow, ...]

    @property
    def place(self) -> str:
        """What the numbers of its rows count."""
        return "row" if self.kind == "parquet" else "line"


def read_candidates(
    columns: SourceColumns, times: TimeColumn, *, has_volume: bool, shift_ns: int
) -> tuple[CandidateRows, int]:
    """Return the rows, `shift_ns` later than `times`, and the decimals that their prices were written with.

    Without `has_volume` the volume is zero. Raises DatasetInvalid where a volume column holds nothing.
    """
    source = columns.file.name
    unread: list[Unread] = list(times.unread)
    values: dict[str, NDArray[np.float64]] = {}
    precision = 0
    for role in (*PRICE_COLUMNS, "volume"):
        if role == "volume" and not has_volume:
            values[role] = np.zeros(len(columns.line))
            continue
        cells = columns.cells[role]
        numbers = read_numbers(cells, columns.names[role], source=source)
        if role == "volume" and _is_empty(cells, numbers.values):
            raise DatasetInvalid(f"{source}: {EMPTY_VOLUME}")
        if role != "volume":
            precision = max(precision, written_decimals(cells, numbers.values))
        values[role] = numbers.values
        unread += numbers.unread
    ts_event = np.where(times.ts == 0, np.uint64(0), times.ts + np.uint64(shift_ns))
    return CandidateRows(columns.line, ts_event, **values, unread=tuple(unread), ragged=columns.ragged), precision


def _is_empty(cells: Any, values: NDArray[np.float64]) -> bool:
    if len(cells) == pc.sum(pc.or_kleene(pc.is_null(cells), pc.equal(cells.cast("string"), ""))).as_py():
        return True
    return not np.any(np.nan_to_num(values, nan=1.0))
