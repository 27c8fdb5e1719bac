"""The register of controls: each with what inspired it, where it is, and what counts as evidence that it works."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tc.errors import TcBug

REGISTER = Path(__file__).with_name("control_register.yaml")
SCHEMA = "tc.control_register/v1"


@dataclass(frozen=True)
class Control:
    """One control. Paths are relative to the project, those of `implementation` to `src`.

    Evidence is fresh for `days`: of each of `drills`, of entries of the types `journal` in a sealed run, or of a
    `comparison` of a backtest with a paper run.
    """

    id: str
    title: str
    anchors: tuple[str, ...]
    implementation: tuple[str, ...]
    tests: tuple[str, ...]
    drills: tuple[str, ...]
    runbook: str
    days: int
    journal: tuple[str, ...] = ()
    comparison: bool = False


def read_register(text: str | None = None) -> list[Control]:
    """Return all controls; TcBug where the register that is shipped is not what it must be."""
    document: Any = yaml.safe_load(REGISTER.read_text() if text is None else text)
    if document.get("schema") != SCHEMA:
        raise TcBug(f"the register of controls has schema {document.get('schema')}, expected {SCHEMA}")
    found = [_control(one) for one in document["controls"]]
    if len({control.id for control in found}) != len(found):
        raise TcBug("the register of controls names one twice")
    return found


def _control(said: dict[str, Any]) -> Control:
    fields: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in said.items()}
    return Control(**fields)
