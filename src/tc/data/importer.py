"""From a source file to a stored dataset: read, judged row by row, repaired if chosen, or refused whole."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tc.data import binance_archive
from tc.data.bar_table import PRICE_COLUMNS
from tc.data.column_map import find_columns
from tc.data.csv_source import read_cells, read_first_line
from tc.data.dataset_info import DatasetInfo, Source
from tc.data.dataset_store import DatasetStore
from tc.data.description import refuse_volume_options
from tc.data.finding import Finding, refusal_text
from tc.data.import_options import ImportOptions, Stamp
from tc.data.interval import agreed_step, modal_step
from tc.data.parquet_source import ParquetSource
from tc.data.row_check import judge
from tc.data.row_repair import repair_rows
from tc.data.source_columns import SourceColumns, read_candidates
from tc.data.source_file import SourceFile, read_source
from tc.data.step import step_text
from tc.data.time_column import TimeColumn, read_times
from tc.errors import DatasetInvalid, InputError

if TYPE_CHECKING:
    pass


@dataclass(frozen=True)
class ImportOutcome:
    """A stored dataset, what was wrong with its source before the repairs, and its bars of zero volume."""

    info: DatasetInfo
    findings: tuple[Finding, ...]
    zero_volume_bars: int


def import_csv(
    path: Path, options: ImportOptions, store: DatasetStore, name: str, *, replace: bool = False
) -> ImportOutcome:
    """Store the bars of a CSV file with a header line as dataset `name`.

    Raises:
        DatasetInvalid: columns or rows are not what they must be; rows are named by rule and line.
        InputError: options contradict each other or the file.
        AlreadyExists: the name is taken and `replace` is not set.
        StorageError: a disk did not do what it must.
    """
    file = read_source(path)
    header, delimiter = read_first_line(file.data, file.name)
    if any(_is_number(cell) for cell in header):
        raise DatasetInvalid(
            f"{file.name}: its first line has no column names ({', '.join(header[:3])}, ...); "
            "add a header line, or use --format binance for a Binance kline archive"
        )
    found = find_columns(header, options.columns, with_volume=_has_volume(options), source=file.name)
    table = read_cells(
        file.data,
        sorted(found.values()),
        column_count=len(header),
        delimiter=delimiter,
        has_header=True,
        source=file.name,
    )
    cells = {role: table.columns[index] for role, index in found.items()}
    names = {role: header[index] for role, index in found.items()}
    columns = SourceColumns(file, "csv", cells, names, table.line, table.ragged)
    return _store(_needs_stamp(options, file), options, columns, store, name, replace=replace)


def import_parquet(
    path: Path, options: ImportOptions, store: DatasetStore, name: str, *, replace: bool = False
) -> ImportOutcome:
    """Store the bars of a Parquet file as dataset `name`; rows count from 1. Raises like `import_csv`."""
    file = read_source(path)
    source = ParquetSource(file.data, file.name)
    found = find_columns(source.names, options.columns, with_volume=_has_volume(options), source=file.name)
    read = source.read(sorted(found.values()))
    cells = {role: read[index] for role, index in found.items()}
    names = {role: source.names[index] for role, index in found.items()}
    line = np.arange(1, source.row_count + 1, dtype=np.int64)
    columns = SourceColumns(file, "parquet", cells, names, line, ())
    return _store(_needs_stamp(options, file), options, columns, store, name, replace=replace)


def import_binance(
    path: Path, options: ImportOptions, store: DatasetStore, name: str, *, replace: bool = False
) -> ImportOutcome:
    """Store the bars of a Binance kline archive (.csv, or .zip of one) as dataset `name`.

    Its columns, its stamp at the open and its base volume are known, so options that say anything of them are
    refused with InputError. Raises like `import_csv`.
    """
    file = read_source(path)
    told = {
        "--column": options.columns,
        "--time-unit": options.time_unit != "auto",
        "--zone": options.zone,
        "--stamp": options.stamp,
        "--step": options.step_ns,
        "--volume quote": options.volume == "quote",
    }
    for option, is_given in told.items():
        if is_given:
            raise InputError(f"{file.name}: {option} was given, but a Binance kline archive is known; leave it out")
    data = binance_archive.unpack_member(file.data, file.name) if binance_archive.is_zip(file.data) else file.data
    table = binance_archive.read_klines(data, file.name)
    by_name = {column: table.columns[index] for index, column in enumerate(binance_archive.COLUMNS)}
    cells = {
        "timestamp": by_name["open_time"],
        **{role: by_name[role] for role in (*PRICE_COLUMNS, "volume")},
    }
    names = {role: role for role in cells} | {"timestamp": "open_time"}
    columns = SourceColumns(file, "binance", cells, names, table.line, table.ragged)
    return _store("open", options, columns, store, name, replace=replace, closes=by_name["close_time"])


def _store(
    stamp: Stamp,
    options: ImportOptions,
    columns: SourceColumns,
    store: DatasetStore,
    name: str,
    *,
    replace: bool,
    closes: Any = None,
) -> ImportOutcome:
    refuse_volume_options(options.volume, options.volume_constant)
    source = columns.file.name
    if not len(columns.line):
        raise DatasetInvalid(f"{source}: it holds no rows of bars; give a file with at least one")
    times = read_times(
        columns.cells["timestamp"],
        columns.names["timestamp"],
        unit=options.time_unit,
        zone=options.zone,
        source=source,
    )
    step_ns = _step(times, closes, options, source)
    rows, detected_precision = read_candidates(
        columns, times, has_volume=_has_volume(options), shift_ns=step_ns if stamp == "open" else 0
    )
    precision = detected_precision if options.price_precision is None else options.price_precision
    findings = judge(rows, precision)
    repaired, repairs = repair_rows(rows, options.repairs, precision)
    remaining = judge(repaired, precision) if repairs else findings
    if remaining:
        raise DatasetInvalid(refusal_text(source, rows.rows_read, remaining, place=columns.place, is_repairable=True))
    if not len(repaired):
        raise DatasetInvalid(f"{source}: the repairs left no rows; correct the file")
    table = repaired.to_table()
    info = store.save(
        name,
        table,
        price_precision=precision,
        volume=options.volume,
        volume_constant=options.volume_constant,
        synthetic=False,
        source=Source(columns.kind, source, columns.file.digest, _understood(columns, options, times, stamp, step_ns)),
        step_ns=step_ns,
        repairs=repairs,
        replace=replace,
    )
    zero_volume_bars = int(np.count_nonzero(table.volume == 0)) if _has_volume(options) else 0
    return ImportOutcome(info, tuple(findings), zero_volume_bars)


def _step(times: TimeColumn, closes: Any, options: ImportOptions, source: str) -> int:
    if closes is not None:
        # An archive says when each bar closed: one unit of time before the next one opens.
        read = read_times(closes, "close_time", unit="auto", zone=None, source=source)
        unit_ns = 1_000 if read.unit == "us" else 1_000_000
        both = (times.ts > 0) & (read.ts > times.ts)
        spans, counts = np.unique(read.ts[both] - times.ts[both], return_counts=True)
        given = int(spans[np.argmax(counts)]) + unit_ns if len(spans) else None
    else:
        given = options.step_ns
    return agreed_step(given, modal_step(np.sort(times.ts[times.ts > 0])), source)


def _understood(
    columns: SourceColumns, options: ImportOptions, times: TimeColumn, stamp: Stamp, step_ns: int
) -> dict[str, str]:
    return {
        "columns": ", ".join(f"{role}={name}" for role, name in columns.names.items()),
        "time_unit": times.unit,
        "zone": times.zone,
        "stamp": stamp,
        "step": step_text(step_ns),
        "repair": ", ".join(sorted(options.repairs)) or "none",
    }


def _needs_stamp(options: ImportOptions, file: SourceFile) -> Stamp:
    if options.stamp is None:
        raise InputError(
            f"{file.name}: nothing in it tells whether its times are the open or the close of a bar; say "
            "--stamp open or --stamp close (an open taken for a close lets a strategy see the future)"
        )
    return options.stamp


def _has_volume(options: ImportOptions) -> bool:
    return options.volume in ("base", "quote")


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
