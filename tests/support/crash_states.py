"""Every state in which a power cut could leave a directory, by a weak model, from a recorded run.

The model promises what a sync promises and nothing more: a write or truncation not yet followed by a sync of
its file may be there, be missing or, for a write, be there by half, in any combination; so may every change
of a name not yet followed by a sync of the directory. Real file systems show a subset of these states.
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_CALL = re.compile(r"^([a-z_0-9]+)\((.*)\)\s+= (-?\d+)")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_DESCRIPTOR = re.compile(r"^\d+<([^>]*)>")
Directory = dict[str, bytes]


@dataclass(frozen=True)
class Change:
    """One change: of the data of a file (`inode`), or of names."""

    kind: str
    inode: int = 0
    offset: int = 0
    data: bytes = b""
    source: str = ""
    target: str = ""

    @property
    def is_of_names(self) -> bool:
        return self.kind in ("bind", "unbind", "rename")


@dataclass
class Recording:
    """The changes in order; `durable[n]` holds the positions of those that the first n calls made durable."""

    changes: list[Change] = field(default_factory=list)
    lengths: list[int] = field(default_factory=lambda: [0])
    durable: list[frozenset[int]] = field(default_factory=lambda: [frozenset()])


def record(lines: list[str], folder: str, initial: Directory) -> Recording:
    """Return what the strace lines (with `-y`) changed in `folder`, which held `initial`."""
    names = {name: number for number, name in enumerate(sorted(initial))}
    sizes = {names[name]: len(data) for name, data in initial.items()}
    recording = Recording()
    for line in lines:
        match = _CALL.match(line)
        if match is None or int(match[3]) < 0:
            continue
        call, arguments, result = match[1], match[2], int(match[3])
        durable = set(recording.durable[-1])
        paths = [path.removeprefix(folder + "/") for path in _QUOTED.findall(arguments) if path.startswith(folder)]
        opened = _DESCRIPTOR.match(arguments)
        on = opened[1] if opened else ""
        name = on.removeprefix(folder + "/")
        changes = recording.changes
        if call == "openat" and "O_CREAT" in arguments and paths and paths[0] not in names:
            names[paths[0]] = len(sizes)
            sizes[names[paths[0]]] = 0
            changes.append(Change("bind", names[paths[0]], target=paths[0]))
        elif call == "openat" and "O_TRUNC" in arguments and paths:
            changes.append(Change("truncate", names[paths[0]], 0))
            sizes[names[paths[0]]] = 0
        elif call == "write" and name in names:
            data = ast.literal_eval("b" + _QUOTED.search(arguments)[0])[:result]  # type: ignore[index]
            changes.append(Change("write", names[name], sizes[names[name]], data))
            sizes[names[name]] += len(data)
        elif call == "ftruncate" and name in names:
            sizes[names[name]] = int(arguments.rpartition(",")[2])
            changes.append(Change("truncate", names[name], sizes[names[name]]))
        elif call in ("rename", "renameat", "renameat2") and len(paths) == 2:
            names[paths[1]] = names.pop(paths[0])
            changes.append(Change("rename", names[paths[1]], source=paths[0], target=paths[1]))
        elif call in ("link", "linkat") and len(paths) == 2:
            names[paths[1]] = names[paths[0]]
            changes.append(Change("bind", names[paths[1]], target=paths[1]))
        elif call in ("unlink", "unlinkat") and paths:
            names.pop(paths[0])
            changes.append(Change("unbind", source=paths[0]))
        elif call in ("fsync", "fdatasync") and on == folder:
            durable |= {at for at, change in enumerate(changes) if change.is_of_names}
        elif call in ("fsync", "fdatasync") and name in names:
            inode = names[name]
            durable |= {at for at, one in enumerate(changes) if not one.is_of_names and one.inode == inode}
        recording.durable.append(frozenset(durable))
        recording.lengths.append(len(changes))
    return recording


def states_after(recording: Recording, calls: int, initial: Directory) -> Iterator[Directory]:
    """Yield each state possible if the power goes after `calls` calls."""
    changes = recording.changes[: recording.lengths[calls]]
    durable = recording.durable[calls]
    shares = [
        (1.0,) if at in durable else (0.0, 0.5, 1.0) if change.kind == "write" else (0.0, 1.0)
        for at, change in enumerate(changes)
    ]
    for chosen in itertools.product(*shares):
        yield _apply(changes, chosen, initial)


def all_states(recording: Recording, initial: Directory) -> Iterator[Directory]:
    """Yield each state possible if the power goes at any point."""
    for calls in range(len(recording.lengths)):
        yield from states_after(recording, calls, initial)


def last_states(recording: Recording, initial: Directory) -> Iterator[Directory]:
    """Yield each state possible if the power goes after the last call: after the acknowledgment."""
    return states_after(recording, len(recording.lengths) - 1, initial)


def _apply(changes: list[Change], shares: tuple[float, ...], initial: Directory) -> Directory:
    names = {name: number for number, name in enumerate(sorted(initial))}
    contents = {names[name]: data for name, data in initial.items()}
    for change, share in zip(changes, shares, strict=True):
        if not share:
            continue
        content = contents.get(change.inode, b"")
        if change.kind == "write":
            data = change.data[: int(len(change.data) * share)]
            start = content[: change.offset].ljust(change.offset, b"\0")
            contents[change.inode] = start + data + content[change.offset + len(data) :]
        elif change.kind == "truncate":
            contents[change.inode] = content[: change.offset]
        else:
            names.pop(change.source, None)
            if change.kind != "unbind":
                names[change.target] = change.inode
    return {name: contents.get(inode, b"") for name, inode in names.items()}
