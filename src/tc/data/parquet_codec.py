"""Bars to the bytes of a Parquet file and back; the bytes reach the disk through `tc.durable`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tc.data.bar_table import COLUMNS, BarTable
from tc.errors import ArtifactCorrupt

# Byte-stream split under LZ4 takes 40 % of the plain size and reads a year of minutes in 17 ms against 12 ms.
_ROW_GROUP_ROWS = 1 << 20


def encode_bars(table: BarTable) -> bytes:
    """Return the bars as a Parquet file: `ts_event` uint64, the other columns float64, no nulls."""
    arrays = [_arrow_array(getattr(table, name)) for name in COLUMNS]
    fields = [pa.field(name, array.type, nullable=False) for name, array in zip(COLUMNS, arrays, strict=True)]
    sink = pa.BufferOutputStream()
    pq.write_table(
        pa.Table.from_arrays(arrays, schema=pa.schema(fields)),
        sink,
        row_group_size=_ROW_GROUP_ROWS,
        compression="lz4",
        use_dictionary=False,
        use_byte_stream_split=True,
        write_statistics=False,
    )
    return bytes(sink.getvalue())


def decode_bars(data: bytes, path: Path) -> BarTable:
    """Return the bars that `encode_bars` wrote; raise ArtifactCorrupt naming `path` for anything else."""
    try:
        # Without threads: a process that ends while pyarrow's pool starts is aborted by the C++ runtime.
        content = pq.ParquetFile(pa.BufferReader(data), pre_buffer=False).read(columns=list(COLUMNS), use_threads=False)
        columns = [_owned_column(content.column(name), name) for name in COLUMNS]
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        raise ArtifactCorrupt(path, f"it does not read as a Parquet file of bars ({error})") from error
    if np.any(columns[0][1:] <= columns[0][:-1]):
        raise ArtifactCorrupt(path, "its ts_event column is not strictly increasing")
    return BarTable(*columns)


def _arrow_array(column: np.ndarray[Any, Any]) -> Any:
    # Built from buffers: pyarrow's own constructor imports pandas to look at its argument.
    kind = pa.uint64() if column.dtype == np.uint64 else pa.float64()
    return pa.Array.from_buffers(kind, len(column), [None, pa.py_buffer(column)])


def _owned_column(chunked: Any, name: str) -> np.ndarray[Any, Any]:
    kind = pa.uint64() if name == "ts_event" else pa.float64()
    if chunked.type != kind or chunked.null_count:
        raise ValueError(f"column {name} was {chunked.type} with {chunked.null_count} nulls, expected {kind} with none")
    dtype = np.dtype(np.uint64 if name == "ts_event" else np.float64)
    owned = np.empty(len(chunked), dtype=dtype)
    done = 0
    for chunk in chunked.chunks:
        values = np.frombuffer(chunk.buffers()[1], dtype=dtype)[chunk.offset : chunk.offset + len(chunk)]
        owned[done : done + len(values)] = values
        done += len(values)
    return owned
