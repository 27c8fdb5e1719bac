"""What a venue's journal says of its accounts and orders, each with the public trade after which it happened.

The public trades themselves are left out: they follow from the dataset. With them the record is the whole truth of a
session at the venue, small enough to be kept with the run.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tc.durable import read_entries
from tc.errors import ArtifactCorrupt
from tc.venue.exchange.codec import decode, kind_of
from tc.venue.exchange.event import BarClosed, Event, MarketMoved

SCHEMA = "tc.venue-orders/v1"


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event of the exchange, and how many public trades each symbol had seen by then."""

    event: Event
    after: dict[str, int]


def encode_record(path: Path, setting: dict[str, Any]) -> bytes:
    """Return the record of the venue whose journal is at `path`; `setting` says how its exchange executes.

    Raises:
        StorageError: the journal cannot be read.
    """
    lines = [json.dumps({"schema": SCHEMA, **setting})]
    trades: dict[str, int] = {}
    for entry in read_entries(path):
        event = decode(entry.type, entry.data)
        if isinstance(event, MarketMoved):
            trades[event.symbol] = event.trade_id
        elif event is not None and not isinstance(event, BarClosed):
            after = json.dumps(trades, separators=(",", ":"))
            lines.append(f'{{"after":{after},"type":"{kind_of(event)}","data":{entry.data.decode()}}}')
    return ("\n".join(lines) + "\n").encode()


def decode_record(path: Path, data: bytes) -> tuple[dict[str, Any], Iterator[Recorded]]:
    """Return the setting and the events of a record; raise ArtifactCorrupt for what is none."""
    lines = data.splitlines()
    try:
        setting: dict[str, Any] = json.loads(lines[0])
        if setting["schema"] != SCHEMA:
            raise ArtifactCorrupt(path, f"was written by another version ({setting['schema']})")
    except (ValueError, KeyError, IndexError, TypeError):
        raise ArtifactCorrupt(path, "is no record of a venue's orders") from None
    return setting, _events(path, lines[1:])


def _events(path: Path, lines: list[bytes]) -> Iterator[Recorded]:
    for number, line in enumerate(lines, start=2):
        try:
            said = json.loads(line)
            event = decode(said["type"], json.dumps(said["data"]).encode())
        except (ValueError, KeyError, TypeError):
            raise ArtifactCorrupt(path, f"line {number} is no event of a venue") from None
        if event is not None:
            yield Recorded(event, said["after"])
