"""Puts right the one thing a crash does to a journal: the torn last line. The evidence is kept first."""

from __future__ import annotations

import os
from pathlib import Path

from tc.durable.artifact import create_artifact, read_artifact
from tc.durable.descriptor import reason
from tc.durable.scan import Scanner
from tc.errors import AlreadyExists, OutcomeUnknown


def repair_tail(path: Path, descriptor: int, scanner: Scanner) -> dict[str, object]:
    """Cut the torn tail that `scanner` found, or give the last line its newline; return what was done.

    After return the repair survives a power cut; a crash during it leaves a tail to repair the same way.

    Raises:
        NotWritten: the evidence could not be kept; the journal is as it was.
        OutcomeUnknown: the journal was changed, but a power cut may undo it.
    """
    offset = scanner.end
    evidence = "" if scanner.lacks_newline else _keep_evidence(path, scanner.head.seq + 1, scanner.torn())
    try:
        if scanner.lacks_newline:
            os.write(descriptor, b"\n")
        else:
            os.ftruncate(descriptor, offset)
        os.fsync(descriptor)
    except OSError as error:
        raise OutcomeUnknown(path, f"its torn end could not be repaired: {reason(error)}") from error
    return {
        "offset": offset,
        "lost_bytes": 0 if scanner.lacks_newline else scanner.torn_bytes,
        "evidence": evidence,
    }


def _keep_evidence(path: Path, seq: int, torn: bytes) -> str:
    # A repair that was itself cut off comes here again with the same bytes: they are kept once.
    number = 1
    while True:
        suffix = f".torn-{seq}" if number == 1 else f".torn-{seq}-{number}"
        copy = path.with_name(path.name + suffix)
        try:
            create_artifact(copy, torn)
        except AlreadyExists:
            if read_artifact(copy) != torn:
                number += 1
                continue
        return copy.name
