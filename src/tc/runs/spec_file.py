"""Read a spec from its file: a regular file of a sane size, and what it means."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tc.durable import read_artifact
from tc.errors import InputError

if TYPE_CHECKING:
    from tc.model.run_spec import RunSpec

SPEC_BYTES_MAX = 1 << 20


def read_spec_text(path: Path) -> bytes:
    """Return the bytes of a spec file."""
    if path.is_dir():
        raise InputError(f"{path} is a folder, expected a RunSpec file; `tc spec new` writes a starter")
    if path.exists() and not path.is_file():
        raise InputError(f"{path} is no regular file, expected a RunSpec file; `tc spec new` writes a starter")
    if path.is_file() and path.stat().st_size > SPEC_BYTES_MAX:
        raise InputError(f"{path} has {path.stat().st_size:,} bytes, expected a RunSpec of at most {SPEC_BYTES_MAX:,}")
    return read_artifact(path)


def read_spec_file(path: Path) -> tuple[bytes, RunSpec]:
    """Return the bytes and the meaning of a spec file."""
    from tc.model.reading import read_run_spec  # takes long: a node loads meanwhile, where the bytes ask for one

    data = read_spec_text(path)
    return data, read_run_spec(data, str(path))


def spec_folder(metadata: dict[str, Any]) -> Path:
    """Return the folder that a run's relative sources were taken from."""
    return Path(metadata["spec"]["path"]).parent
