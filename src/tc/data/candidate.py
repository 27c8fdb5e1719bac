"""Rows as read from a source, before anybody has judged them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from tc.data.bar_table import COLUMNS, BarTable
from tc.data.finding import Rule

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Unread:
    """Cells of one column that could not be read, by one rule; `example` words the first of them."""

    rule: Rule
    mask: NDArray[np.bool_]
    example: str


@dataclass(frozen=True, eq=False)
class RaggedRow:
    """A row whose number of columns was not the header's; none of its cells is used."""

    line: int
    example: str


@dataclass(frozen=True, eq=False)
class CandidateRows:
    """The columns of a bar table with the line of each row; unread cells hold 0 (time) or NaN.

    `line` counts from 1: lines of a text file, rows of a Parquet file or of a table.
    """

    line: NDArray[np.int64]
    ts_event: NDArray[np.uint64]
    open: NDArray[np.float64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]
    volume: NDArray[np.float64]
    unread: tuple[Unread, ...] = ()
    ragged: tuple[RaggedRow, ...] = ()

    def __len__(self) -> int:
        """Return the number of rows, without the ragged ones."""
        return len(self.line)

    @property
    def rows_read(self) -> int:
        """The number of rows of the source."""
        return len(self.line) + len(self.ragged)

    def select(self, chosen: NDArray[Any]) -> CandidateRows:
        """Return the rows that an index or mask chooses, in its order."""
        columns = {name: getattr(self, name)[chosen] for name in ("line", *COLUMNS)}
        unread = tuple(replace(entry, mask=entry.mask[chosen]) for entry in self.unread)
        return replace(self, **columns, unread=unread)

    def unread_by(self, *rules: Rule) -> NDArray[np.bool_]:
        """Return the mask of rows in which a cell was unread by one of `rules`."""
        mask = np.zeros(len(self), dtype=np.bool_)
        for entry in self.unread:
            if entry.rule in rules:
                mask |= entry.mask
        return mask

    def to_table(self) -> BarTable:
        """Return the rows as a table; they must have been found in order."""
        return BarTable.of(*(getattr(self, name) for name in COLUMNS))


def candidates_of(table: BarTable) -> CandidateRows:
    """Return the bars of a table as rows numbered from 1."""
    columns = {name: getattr(table, name) for name in COLUMNS}
    return CandidateRows(line=np.arange(1, len(table) + 1, dtype=np.int64), **columns)
