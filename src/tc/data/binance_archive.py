"""Kline archives as Binance publishes them: twelve columns, mostly without names, in a zip of one file."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from pathlib import PurePosixPath

from tc.data.csv_source import CellTable, read_cells, read_first_line
from tc.errors import DatasetInvalid

COLUMNS = ("open_time", "open", "high", "low", "close", "volume", "close_time")
COLUMN_COUNT = 12
MEMBER_BYTES_MAX = 1 << 30
# Numbers in text shrink to about a quarter; a file that claims to shrink much further is a bomb.
COMPRESSION_RATIO_MAX = 100


def is_zip(data: bytes) -> bool:
    """Tell whether the bytes begin like a zip archive."""
    return data.startswith(b"PK\x03\x04")


def looks_like_klines(data: bytes, source: str) -> bool:
    """Tell whether a text begins with a row, or the header, of a kline archive."""
    cells, delimiter = read_first_line(data, source)
    is_first_known = cells[0].isdigit() or cells[0].lower().replace(" ", "_") == "open_time"
    return len(cells) == COLUMN_COUNT and delimiter == "," and is_first_known


def unpack_member(data: bytes, source: str) -> bytes:
    """Return the one file in a zip archive.

    Raises DatasetInvalid where there is not exactly one, where it is too large or shrinks too well, and where
    the archive is damaged.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            if len(members) != 1:
                raise DatasetInvalid(
                    f"{source}: it holds {len(members)} files, expected one; unpack it and import one by one"
                )
            member = members[0]
            if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise DatasetInvalid(f"{source}: it is packed in an unusual way; unpack it first")
            if PurePosixPath(member.filename).suffix.lower() != ".csv":
                raise DatasetInvalid(
                    f"{source}: it holds {member.filename!r}, expected a CSV file; check what was fetched"
                )
            limit = min(MEMBER_BYTES_MAX, COMPRESSION_RATIO_MAX * max(member.compress_size, 1))
            if member.file_size > limit:
                raise DatasetInvalid(
                    f"{source}: {member.filename!r} unpacks from {member.compress_size} bytes "
                    f"to {member.file_size}, expected at most {limit}; unpack it by hand if you trust it"
                )
            # Never more than the header claims, whatever the stream goes on to produce.
            with archive.open(member) as stream:
                return stream.read(member.file_size)
    except (
        zipfile.BadZipFile,
        zlib.error,
        struct.error,
        EOFError,
        OSError,
        ValueError,
        RuntimeError,
    ) as error:
        raise DatasetInvalid(f"{source}: it does not read as a zip archive ({error}); fetch it again") from error


def read_klines(data: bytes, source: str) -> CellTable:
    """Return the cells of a kline archive by the index of `COLUMNS`; raise DatasetInvalid if it is none."""
    cells, _ = read_first_line(data, source)
    if not looks_like_klines(data, source):
        raise DatasetInvalid(
            f"{source}: its first line has {len(cells)} columns starting with {cells[0]!r}, expected the "
            f"{COLUMN_COUNT} columns of a Binance kline archive; import other files with --format csv"
        )
    return read_cells(
        data,
        range(len(COLUMNS)),
        column_count=COLUMN_COUNT,
        delimiter=",",
        has_header=not cells[0].isdigit(),
        source=source,
    )
