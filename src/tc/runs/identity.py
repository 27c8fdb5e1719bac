"""What a result depends on besides spec, data and strategies: our own code, the installed wheels, the interpreter."""

from __future__ import annotations

import hashlib
import inspect
import platform
import re
import sys
from collections.abc import Iterable, Mapping
from email import message_from_string
from email.message import Message
from importlib import metadata
from pathlib import Path
from types import MappingProxyType
from typing import Any

import tc

DISTRIBUTION = "tradingchassis"
_REQUIREMENT_NAME = re.compile(r"[A-Za-z0-9._-]+")


def code_identity() -> dict[str, str]:
    """Return version and digest of the `tc` package: every source file's relative path and bytes."""
    root = Path(tc.__file__).resolve().parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        data = path.read_bytes()
        digest.update(f"{path.relative_to(root).as_posix()} {len(data)}\n".encode() + data)
    return {"version": tc.__version__, "digest": f"sha256:{digest.hexdigest()}"}


def wheel_identity(also: Iterable[str] = (), known: Mapping[str, str] = MappingProxyType({})) -> dict[str, str]:
    """Return name to `version digest` of every wheel that tc requires at run time, what those require, and `also`.

    The digest is over the file hashes that the wheel's RECORD lists, so a wheel rebuilt under the same version differs.
    What is `known` is not read again.
    """
    found = dict(known)
    waiting = [*_requirements(_header(metadata.distribution(DISTRIBUTION))), *also]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # a requirement of another platform
        header = _header(distribution)
        found[name] = f"{header['Version']} {_record_digest(distribution)}"
        waiting += _requirements(header)
    return dict(sorted(found.items()))


def wheels_of(packages: Iterable[str]) -> set[str]:
    """Return the distributions that installed these top-level packages.

    What `importlib.metadata.packages_distributions` says, from the texts alone: it looks for every installed file.
    """
    wanted = set(packages) - {tc.__name__}
    if not wanted:
        return set()
    owners = (each for each in metadata.distributions() if wanted & _top_levels(each))
    return {_normal(each.name) for each in owners} - {DISTRIBUTION}


def interpreter_identity() -> dict[str, str]:
    """Return the interpreter and the platform."""
    return {
        "python": platform.python_version(),
        "implementation": sys.implementation.name,
        "platform": f"{platform.system()} {platform.machine()}",
    }


def installed_identity() -> dict[str, Any]:
    """Return what no strategy changes: the code, the wheels that it requires, the interpreter."""
    return {"code": code_identity(), "wheels": wheel_identity(), "interpreter": interpreter_identity()}


def run_identity(packages: Iterable[str], installed: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return all three, as metadata.json records them; `packages` are those that the strategies loaded.

    `installed` is what `installed_identity` said a moment ago, perhaps to the supervisor.
    """
    installed = installed or installed_identity()
    return {**installed, "wheels": wheel_identity(wheels_of(packages), installed["wheels"])}


def _header(distribution: metadata.Distribution) -> Message:
    # Without the description below it, which is most of the text and takes long to parse.
    text = distribution.read_text("METADATA") or distribution.read_text("PKG-INFO") or ""
    return message_from_string(text.partition("\n\n")[0])


def _requirements(header: Message) -> list[str]:
    lines = header.get_all("Requires-Dist", [])
    names = [match[0] for line in lines if "extra ==" not in line and (match := _REQUIREMENT_NAME.match(line))]
    return [_normal(found) for found in names]


def _top_levels(distribution: metadata.Distribution) -> set[str]:
    declared = distribution.read_text("top_level.txt")
    if declared:
        return set(declared.split())
    paths = (line.partition(",")[0].strip('"') for line in (distribution.read_text("RECORD") or "").splitlines())
    firsts = {path.partition("/")[0] for path in paths}
    return {inspect.getmodulename(first) or first for first in firsts}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _record_digest(distribution: metadata.Distribution) -> str:
    record = distribution.read_text("RECORD") or ""
    # What an installer writes (its own name, byte code, scripts) is no part of the wheel.
    lines = [
        line for line in record.splitlines() if ",sha256=" in line and ".dist-info/" not in line and "../" not in line
    ]
    return f"sha256:{hashlib.sha256('\n'.join(sorted(lines)).encode()).hexdigest()[:32]}"
