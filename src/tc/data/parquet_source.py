"""Columns of a foreign Parquet file, in the types that the readers of times and numbers take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tc.errors import DatasetInvalid


class ParquetSource:
    """A Parquet file in memory; its rows are numbered from 1."""

    def __init__(self, data: bytes, source: str) -> None:
        self._source = source
        try:
            # Without threads and read-ahead, for the reason given in `parquet_codec`.
            self._file = pq.ParquetFile(pa.BufferReader(data), pre_buffer=False)
        except (pa.ArrowException, OSError) as error:
            raise DatasetInvalid(f"{source}: it does not read as a Parquet file ({error}); check the file") from error
        self.names: list[str] = list(self._file.schema_arrow.names)
        self.row_count: int = self._file.metadata.num_rows

    def read(self, wanted: Sequence[int]) -> dict[int, Any]:
        """Return the columns with these indexes as arrow arrays; raise DatasetInvalid if they are damaged."""
        names = [self.names[index] for index in wanted]
        try:
            table = self._file.read(columns=names, use_threads=False)
            return {index: _plain(table.column(name)) for index, name in zip(wanted, names, strict=True)}
        except (pa.ArrowException, OSError) as error:
            raise DatasetInvalid(f"{self._source}: its columns do not read ({error}); check the file") from error


def _plain(chunked: Any) -> Any:
    kind = chunked.type
    if pa.types.is_dictionary(kind):
        chunked = chunked.cast(kind.value_type)
    if pa.types.is_large_string(chunked.type) or pa.types.is_string_view(chunked.type):
        chunked = chunked.cast(pa.string())
    return chunked.combine_chunks()
