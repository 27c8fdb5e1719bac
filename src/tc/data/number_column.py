"""Numbers as sources write them to float64, and how many decimals they were written with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tc.data.candidate import Unread
from tc.data.cell import as_floats, cast_cells, shown
from tc.data.finding import Rule
from tc.data.row_check import fits_precision
from tc.errors import DatasetInvalid

if TYPE_CHECKING:
    from numpy.typing import NDArray

DECIMALS_MAX = 9
_NUMBER = r"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|(?i:nan|inf|infinity))"


@dataclass(frozen=True, eq=False)
class NumberColumn:
    """The float64 nearest to each number as written, NaN where unread."""

    values: NDArray[np.float64]
    unread: tuple[Unread, ...]


def read_numbers(cells: Any, name: str, *, source: str) -> NumberColumn:
    """Return the numbers of column `name`: an arrow array of strings, floats, integers or decimals.

    Raises DatasetInvalid where its type holds no numbers.
    """
    kind = cells.type
    is_number = pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind)
    if not (is_number or pa.types.is_string(kind)):
        raise DatasetInvalid(f"{source}: column {name!r} holds {kind}, expected numbers")
    if pa.types.is_decimal(kind) or pa.types.is_float16(kind) or pa.types.is_float32(kind):
        # By way of text, which is what was meant: 1.1 as float32 would become 1.10000002384185791015625.
        cells = cells.cast(pa.string())
    values, mask = cast_cells(cells, pa.float64(), _NUMBER)
    unread: tuple[Unread, ...] = ()
    if mask.any():
        first = cells[int(np.argmax(mask))].as_py()
        unread = (Unread(Rule.NOT_A_NUMBER, mask, f"column {name} was {shown(first)}"),)
    return NumberColumn(as_floats(values), unread)


def written_decimals(cells: Any, values: NDArray[np.float64]) -> int:
    """Return the largest number of decimals in a column, at most `DECIMALS_MAX`.

    In text, trailing zeros count: `1.10` was written with two decimals. Numbers with an exponent, and columns
    that are not text, count the decimals of their values.
    """
    needed = 0
    if pa.types.is_string(cells.type):
        plain = pc.match_substring_regex(cells, r"^[+-]?[0-9]*\.[0-9]+$")
        lengths = pc.subtract(pc.utf8_length(cells), pc.find_substring(cells, "."))
        needed = max(0, (pc.max(pc.if_else(plain, lengths, 0)).as_py() or 1) - 1)
    finite = values[np.isfinite(values)]
    while needed < DECIMALS_MAX and not fits_precision(finite, needed).all():
        needed += 1
    return min(needed, DECIMALS_MAX)
