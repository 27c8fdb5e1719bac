"""Cells of a CSV text as strings, with the line of every row; what they mean is decided elsewhere."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from tc.data.candidate import RaggedRow
from tc.data.cell import shown
from tc.data.source_file import filled_lines, refuse_bare_returns
from tc.errors import DatasetInvalid

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_DELIMITERS = (",", ";", "\t")


@dataclass(frozen=True, eq=False)
class CellTable:
    """Columns of strings by index, the line of each row, and the rows with another number of columns."""

    columns: dict[int, Any]
    line: NDArray[np.int64]
    ragged: tuple[RaggedRow, ...]


def read_first_line(data: bytes, source: str) -> tuple[list[str], str]:
    """Return the cells of the first line that is not empty, and the delimiter. Raises DatasetInvalid."""
    refuse_bare_returns(data, source)
    _refuse_foreign_encoding(data, source)
    first = data.removeprefix(_BYTE_ORDER_MARK).lstrip(b"\r\n").split(b"\n", 1)[0].rstrip(b"\r")
    line = first.decode()
    delimiter = max(_DELIMITERS, key=line.count)
    try:
        cells = [cell.strip() for row in csv.reader([line], delimiter=delimiter) for cell in row]
    except csv.Error as error:
        raise DatasetInvalid(f"{source}: its first line does not read as CSV ({error}); correct it") from error
    if not cells:
        raise DatasetInvalid(f"{source}: it is empty; expected a line of column names and rows of bars")
    return cells, delimiter


def read_cells(
    data: bytes, wanted: Sequence[int], *, column_count: int, delimiter: str, has_header: bool, source: str
) -> CellTable:
    """Return the `wanted` columns of a text whose rows have `column_count` columns, trimmed of spaces.

    The text went through `read_first_line` before. Raises DatasetInvalid where it does not read as CSV.
    """
    lines = filled_lines(data)
    ragged: list[RaggedRow] = []

    def set_aside(row: Any) -> str:
        found = f"{row.actual_columns} columns, expected {row.expected_columns}: {shown(row.text)}"
        ragged.append(RaggedRow(int(lines[row.number - 1]), found))
        return "skip"

    names = [f"f{index}" for index in range(column_count)]
    try:
        table = pa_csv.read_csv(
            pa.BufferReader(data),
            # One thread, because only then pyarrow knows the numbers of rows it sets aside.
            read_options=pa_csv.ReadOptions(use_threads=False, column_names=names),
            parse_options=pa_csv.ParseOptions(delimiter=delimiter, invalid_row_handler=set_aside),
            convert_options=pa_csv.ConvertOptions(
                include_columns=[names[index] for index in wanted],
                column_types=dict.fromkeys(names, pa.string()),
                strings_can_be_null=False,
            ),
        )
    except pa.ArrowInvalid as error:
        raise DatasetInvalid(f"{source}: it does not read as CSV ({error}); correct it") from error
    skipped = np.array([row.line for row in ragged], dtype=np.int64)
    line = lines[~np.isin(lines, skipped)]
    if len(line) != len(table):
        raise DatasetInvalid(
            f"{source}: it has {len(line)} lines but {len(table)} rows; remove line breaks within quotes"
        )
    first = 1 if has_header else 0
    columns = {
        index: pc.utf8_trim_whitespace(table.column(names[index]).slice(first).combine_chunks()) for index in wanted
    }
    return CellTable(columns, line[first:], tuple(ragged))


def _refuse_foreign_encoding(data: bytes, source: str) -> None:
    try:
        data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DatasetInvalid(f"{source}: line {line} is not UTF-8 text; convert the file to UTF-8") from error
