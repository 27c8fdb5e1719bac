"""A journal's head kept outside the journal: the only thing that makes a cut tail visible."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tc.durable.artifact import read_artifact, write_artifact
from tc.durable.frame import Head
from tc.errors import ArtifactCorrupt, NotFound

_HASH = re.compile(r"[0-9a-f]{64}")


def write_anchor(path: Path, head: Head, journal: Path) -> None:
    """Write `head` to the artifact `path`."""
    record = {"seq": head.seq, "hash": head.hash, "journal": journal.name}
    write_artifact(path, json.dumps(record).encode() + b"\n")


def read_anchor(path: Path) -> Head | None:
    """Return the head recorded in `path`; None if there is no anchor yet.

    Raises:
        ArtifactCorrupt: there is one that does not parse, which is not the same as none.
    """
    try:
        data = read_artifact(path)
    except NotFound:
        return None
    try:
        record = json.loads(data)
        head = Head(record["seq"], record["hash"])
        if type(head.seq) is int and head.seq >= 0 and _HASH.fullmatch(head.hash):
            return head
    except (ValueError, TypeError, KeyError):
        pass
    raise ArtifactCorrupt(path, "it is no anchor with a seq and a hash")
