"""The index of ended runs on disk, so that thousands of runs need not be read again by the next process.

It is a convenience and no evidence: what does not match the runs as they lie there is dropped, and a file that cannot
be read is made anew.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import tc
from tc.durable import make_directory, write_artifact
from tc.observe.drill import Drill
from tc.observe.index import Mark
from tc.observe.sheet import Key
from tc.observe.tally import Tally, shared_key
from tc.observe.trace import read_document

SCHEMA = "tc.metrics_index/v1"


def write_index(path: Path, rows: Iterable[tuple[Mark, Tally]]) -> None:
    """Write the file as a whole; raise StorageError where that fails."""
    keys: dict[Key, int] = {}
    packed = [
        [mark, *tally[:5], [[keys.setdefault(key, len(keys)), amount] for key, amount in tally.amounts], tally.drills]
        for mark, tally in rows
    ]
    document = {
        "schema": SCHEMA,
        "version": tc.__version__,
        "keys": [[name, *labels] for name, labels in keys],
        "rows": packed,
    }
    make_directory(path.parent)
    write_artifact(path, json.dumps(document, separators=(",", ":")).encode())


def read_index(path: Path) -> list[tuple[Mark, Tally]]:
    """Return what an earlier process knew; nothing where its version was another.

    Raises:
        NotFound: there is no file.
        KeyError, TypeError, ValueError, TcError: it is no index.
    """
    document = read_document(path, 256 << 20)
    if document["schema"] != SCHEMA or document["version"] != tc.__version__:
        return []
    return list(_rows(document))


def _rows(document: dict[str, Any]) -> Iterator[tuple[Mark, Tally]]:
    keys = [shared_key(str(name), *labels) for name, *labels in document["keys"]]
    for mark, run_id, name, mode, status, ended_s, amounts, drills in document["rows"]:
        tally = Tally(
            str(run_id), str(name), str(mode), str(status), float(ended_s),
            tuple((keys[number], float(amount)) for number, amount in amounts),
            tuple(Drill(*drill) for drill in drills), (),
        )  # fmt: skip
        yield int(mark), tally
