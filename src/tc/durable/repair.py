"""Puts right the one thing a crash does to a journal: the torn last line. The evidence is kept first."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

from tc.durable.artifact import create_artifact, read_artifact
from tc.durable.descriptor import reason, storage_fault
from tc.durable.scan import Scanner
from tc.errors import AlreadyExists, OutcomeUnknown


def repair_tail(path: Path, descriptor: int, scanner: Scanner) -> None:
    """Cut the torn tail that `scanner` found, its bytes kept beside the journal; or add the missing newline.

    After return the repair survives a power cut; a crash during it leaves a tail to repair the same way, or
    the evidence that `unrecorded_repair` finds.

    Raises:
        NotWritten: the evidence could not be kept; the journal is as it was.
        OutcomeUnknown: the journal was changed, but a power cut may undo it.
    """
    if not scanner.lacks_newline:
        _keep_evidence(path, scanner.head.seq + 1, scanner.torn())
    try:
        if scanner.lacks_newline:
            os.write(descriptor, b"\n")
        else:
            os.ftruncate(descriptor, scanner.end)
        os.fsync(descriptor)
    except OSError as error:
        raise OutcomeUnknown(path, f"its torn end could not be repaired: {reason(error)}") from error


def unrecorded_repair(path: Path, seq: int) -> dict[str, object] | None:
    """Return the data of the `TailRepaired` entry that is due as entry `seq`; None if none is.

    Evidence named after an entry that does not exist yet is of a repair that no entry tells of.
    """
    found = None
    for copy in _evidence_names(path, seq):
        with storage_fault(copy, "looked at"):
            try:
                size = copy.stat().st_size
            except FileNotFoundError:
                return found
        found = {"lost_bytes": size, "evidence": copy.name}
    return found


def _keep_evidence(path: Path, seq: int, torn: bytes) -> None:
    # A repair that was itself cut off comes here again with the same bytes: they are kept once.
    for copy in _evidence_names(path, seq):
        try:
            create_artifact(copy, torn)
        except AlreadyExists:
            if read_artifact(copy) != torn:
                continue
        return


def _evidence_names(path: Path, seq: int) -> Iterator[Path]:
    yield path.with_name(f"{path.name}.torn-{seq}")
    for number in itertools.count(2):
        yield path.with_name(f"{path.name}.torn-{seq}-{number}")
