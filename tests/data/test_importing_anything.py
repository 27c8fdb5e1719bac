"""Damaged sources of every kind: refused in words, whatever the damage."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.market import csv_text, made_up_bars, minute_rows
from tc.data.dataset_store import DatasetStore
from tc.data.import_options import ImportOptions
from tc.data.importer import import_binance, import_csv, import_parquet
from tc.data.parquet_codec import encode_bars
from tc.errors import InputError

_KLINE = "1640995200000,100.5,101.0,100.0,100.75,1.5,1640995259999,150.0,3,0.5,50.0,0\n"


def _zipped(content: str) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", content)
    return sink.getvalue()


CLOSE = ImportOptions(stamp="close")
KINDS: dict[str, tuple[bytes, Callable[..., Any], ImportOptions]] = {
    "csv": (csv_text(minute_rows(6)).encode(), import_csv, CLOSE),
    "parquet": (encode_bars(made_up_bars(6)), import_parquet, CLOSE),
    "klines": (_KLINE.encode(), import_binance, ImportOptions()),
    "zip": (_zipped(_KLINE), import_binance, ImportOptions()),
}
EDIT = st.tuples(
    st.floats(0, 1),
    st.integers(0, 12),
    st.binary(max_size=6) | st.sampled_from([b",", b"\n", b'"', b"\r\n", b"\x00"]),
)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edits=st.lists(EDIT, min_size=1, max_size=4))
def test_a_damaged_source_is_refused_in_words(tmp_path: Path, kind: str, edits: list[tuple[float, int, bytes]]) -> None:
    """Bytes cut, changed or added anywhere leave bars that obey the rules or a refusal, no other error."""
    data, importer, options = KINDS[kind]
    for where, length, instead in edits:
        start = int(where * len(data))
        data = data[:start] + instead + data[start + length :]
    path = tmp_path / "source"
    path.write_bytes(data)
    store = DatasetStore(tmp_path)
    refusal = ""
    try:
        importer(path, options, store, "a", replace=True)
    except InputError as error:
        refusal = str(error)

    assert refusal.startswith("source: ") or store.verify("a").is_intact
