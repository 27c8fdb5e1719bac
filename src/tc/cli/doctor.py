"""`tc doctor`: what this machine can and cannot do for a run, each with the reason it matters."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import NamedTuple

import typer

from tc.cli.options import ArtifactsRoot, AsJson, RuntimeRoot
from tc.cli.output import print_json, print_table
from tc.store.roots import Roots

FREE_BYTES_MIN = 1 << 30
MEMORY_BYTES_MIN = 2 << 30


class Check(NamedTuple):
    """One thing looked at; `matters` says for what, `required` whether runs need it."""

    name: str
    found: str
    is_met: bool
    is_required: bool
    matters: str


def doctor(as_json: AsJson = False, artifacts_root: ArtifactsRoot = None, runtime_root: RuntimeRoot = None) -> None:
    """Say what this machine can and cannot do; exit 1 where runs would not work."""
    roots = Roots.of(artifacts_root, runtime_root)
    checks = [*_interpreter(), *_storage(roots), *_tools()]
    if as_json:
        print_json([check._asdict() for check in checks])
    else:
        rows = [(_mark(check), check.name, check.found, check.matters) for check in checks]
        print_table(("", "WHAT", "FOUND", "FOR"), rows)
    raise typer.Exit(0 if all(check.is_met for check in checks if check.is_required) else 1)


def _mark(check: Check) -> str:
    return "ok" if check.is_met else "NO" if check.is_required else "-"


def _interpreter() -> list[Check]:
    import platform

    version = sys.version_info[:2]
    engine = _version("nautilus_trader")
    return [
        Check(
            "python",
            platform.python_version(),
            (3, 12) <= version <= (3, 14),
            True,
            "everything (3.12 to 3.14)",
        ),
        Check("nautilus_trader", engine, engine == "1.231.0", True, "every run (exactly 1.231.0)"),
        Check(
            "platform",
            f"{platform.system()} {platform.machine()}",
            sys.platform == "linux",
            False,
            "locks and power-cut promises",
        ),
    ]


def _storage(roots: Roots) -> list[Check]:
    import shutil

    checks = []
    for name, path in (("artifacts root", roots.artifacts), ("runtime root", roots.runtime)):
        nearest = next(parent for parent in (path, *path.parents) if parent.exists())
        free = shutil.disk_usage(nearest).free
        can_write = os.access(nearest, os.W_OK)
        found = f"{path} ({free / 2**30:.0f} GiB free{'' if can_write else ', not writable'})"
        checks.append(Check(name, found, can_write and free > FREE_BYTES_MIN, True, "a writable disk with 1 GiB free"))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    checks.append(
        Check(
            "memory",
            f"{memory / 2**30:.0f} GiB",
            memory >= MEMORY_BYTES_MIN,
            False,
            "a year of minutes (about 1 GiB)",
        )
    )
    checks.append(_probe("file locks", lambda: _locks_exclude(roots), "two runs never share a directory"))
    return checks


def _locks_exclude(roots: Roots) -> str:
    import tempfile
    from pathlib import Path

    from tc.durable import FileLock, lock_holder

    nearest = next(parent for parent in (roots.artifacts, *roots.artifacts.parents) if parent.exists())
    with tempfile.TemporaryDirectory(dir=nearest, prefix=".tc-doctor-") as scratch:
        path = Path(scratch) / "probe.lock"
        with FileLock(path, purpose="doctor", timeout_s=0):
            if lock_holder(path) is None:
                raise OSError("a held lock looks free on this file system")
    return "exclude each other"


def _probe(name: str, probe: Callable[[], str], matters: str) -> Check:
    try:
        return Check(name, probe(), True, True, matters)
    except Exception as error:  # noqa: BLE001 - whatever the machine answers is what the operator wants to read
        return Check(name, f"{type(error).__name__}: {error}", False, True, matters)


def _tools() -> list[Check]:
    import shutil

    is_root = os.geteuid() == 0
    checks = [Check("root", "yes" if is_root else "no", is_root, False, "power-cut tests (loop mounts)")]
    for command, matters in (
        ("strace", "syscall sweeps of make faults"),
        ("mkfs.xfs", "power-cut tests on xfs"),
        ("nbdkit", "failed-fsync tests"),
        ("chromium", "looking at reports in tests"),
    ):
        found = shutil.which(command, path=os.environ.get("PATH", "") + ":/sbin:/usr/sbin")
        checks.append(Check(command, found or "not installed", found is not None, False, matters))
    return checks


def _version(distribution: str) -> str:
    from importlib import metadata  # 12 ms that no other command should pay

    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "not installed"
