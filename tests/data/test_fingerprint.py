"""The fingerprint of content."""

from __future__ import annotations

import hashlib
import io
from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.market import made_up_bars
from tc.data.bar_table import COLUMNS, BarTable
from tc.data.fingerprint import content_fingerprint
from tc.data.parquet_codec import decode_bars, encode_bars

ROWS = 60
TABLE = made_up_bars(ROWS)


def fingerprint(table: BarTable, **changes: Any) -> str:
    facts: dict[str, Any] = {"price_precision": 1, "volume": "base", "volume_constant": None}
    return content_fingerprint(table, **(facts | changes))


def naive_fingerprint(table: BarTable) -> str:
    """The naive version: a digest of the numbers as people see them."""
    rows = zip(*(getattr(table, name).tolist() for name in COLUMNS), strict=True)
    text = "\n".join(",".join(f"{value:.6f}" for value in row) for row in rows)
    return hashlib.sha256(text.encode()).hexdigest()


def nudged(table: BarTable, name: str, row: int, *, up: bool) -> BarTable:
    """Return the table with one value changed by the smallest step there is."""
    column = getattr(table, name).copy()
    if name == "ts_event":
        column[row] = int(column[row]) + (1 if up else -1)
    else:
        column[row] = np.nextafter(column[row], np.inf if up else -np.inf)
    return replace(table, **{name: column})


@given(st.sampled_from(COLUMNS), st.integers(0, ROWS - 1), st.booleans())
def test_one_changed_value_changes_it(name: str, row: int, up: bool) -> None:
    """One nanosecond, or one unit in the last place of any value of any row, changes the fingerprint."""
    assert fingerprint(nudged(TABLE, name, row, up=up)) != fingerprint(TABLE)


def test_the_naive_fingerprint_misses_a_changed_value() -> None:
    """A digest of rounded numbers, the naive version, is blind to a change in the last place."""
    changed = nudged(TABLE, "close", 3, up=True)

    assert naive_fingerprint(changed) == naive_fingerprint(TABLE)
    assert fingerprint(changed) != fingerprint(TABLE)


@pytest.mark.parametrize(
    "change",
    [{"price_precision": 2}, {"volume": "quote"}, {"volume": "constant", "volume_constant": Decimal(5)}],
    ids=["precision", "kind of volume", "constant"],
)
def test_the_meaning_of_the_numbers_counts(change: dict[str, Any]) -> None:
    """The same numbers with another precision or kind of volume are another content."""
    assert fingerprint(TABLE, **change) != fingerprint(TABLE)


def test_the_constant_counts_as_a_number() -> None:
    """Two constants differ by value and not by the way they are written."""
    five = fingerprint(TABLE, volume="constant", volume_constant=Decimal(5))

    assert fingerprint(TABLE, volume="constant", volume_constant=Decimal("5.00")) == five
    assert fingerprint(TABLE, volume="constant", volume_constant=Decimal("5.01")) != five


def test_an_absent_volume_has_no_content() -> None:
    """With volume absent, NaN and zeros in that column are the same."""
    missing = TABLE.with_volume(np.full(ROWS, np.nan))
    zeros = TABLE.with_volume(np.zeros(ROWS))

    assert fingerprint(missing, volume="absent") == fingerprint(zeros, volume="absent")


def test_the_form_of_the_file_does_not_count() -> None:
    """Compression and row groups change the digest of the file, the naive version, and not the content."""
    data = encode_bars(TABLE)
    sink = io.BytesIO()
    pq.write_table(pq.read_table(pa.BufferReader(data)), sink, compression="zstd", row_group_size=7)
    other = sink.getvalue()

    assert hashlib.sha256(other).digest() != hashlib.sha256(data).digest()
    for form in (data, other):
        assert fingerprint(decode_bars(form, None)) == fingerprint(TABLE)  # type: ignore[arg-type]


def test_the_format_stays_readable_for_ever() -> None:
    """The fingerprint of known content never changes; a new format needs a new version in its header."""
    table = BarTable.of([60, 120], [1.0, 2.0], [2.0, 3.0], [0.5, 1.5], [1.5, 2.5], [10.0, 20.0])
    header = b'{"format":"tc.dataset.content/v1","price_precision":1,"volume":"base","volume_constant":null,"rows":2}\n'
    columns = b"".join(getattr(table, name).tobytes() for name in COLUMNS)

    assert fingerprint(table) == f"sha256:{hashlib.sha256(header + columns).hexdigest()}"
    assert fingerprint(table) == "sha256:d1436a0938b86b6bf320eb776e5a72296a293dfde361b3006240bc1011664458"
