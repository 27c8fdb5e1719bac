"""Show defects as an operator asks for it: plan on disk first, the plain engine, ours, and the evidence of both."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tc.clock import SYSTEM_CLOCK, Clock, compact_utc, iso_utc
from tc.drills.defect import ENGINE, Defect, Showing, Shown, attempt
from tc.drills.defect_lab import DefectLab
from tc.drills.drill import plan_digest
from tc.drills.environment import environment
from tc.drills.evidence import FOLDER, register_plan, sealed
from tc.durable import write_artifact
from tc.store.roots import Roots
from tc.store.run_directory import encode_document

SCHEMA = "tc.defect/v1"
DEFECTS_FOLDER = "defects"
Tell = Callable[[str, str], None]


@dataclass(frozen=True)
class Found:
    """What showing one defect came to: on the plain engine, and with our client where that is tried."""

    defect: Defect
    plain: Shown
    corrected: Shown | None
    document: Mapping[str, Any]
    path: Path

    @property
    def is_good(self) -> bool:
        """Whether the plain engine shows it and, where it was tried, ours does not."""
        return self.plain is Shown.REPRODUCED and self.corrected in (None, Shown.NOT_REPRODUCED)


def show_defect(
    defect: Defect, roots: Roots, tell: Tell, *, has_control: bool = True, clock: Clock = SYSTEM_CLOCK
) -> Found:
    """Show one defect and leave its evidence below `drills/defects`.

    Raises:
        StorageError: plan or evidence could not be written.
    """
    folder = roots.evidence / FOLDER / DEFECTS_FOLDER
    number = register_plan(folder, defect, clock)
    began_ns = clock.now_ns()
    logs = folder / "logs" / f"{defect.name}-{number}-{compact_utc(began_ns)}"
    tell(defect.name, f"on {ENGINE} as it is")
    plain = _try(defect, roots, logs / "plain", clock, is_corrected=False)
    control = None
    if has_control and defect.is_in_client and plain["verdict"] == Shown.REPRODUCED:
        tell(defect.name, "the same with this product's client")
        control = _try(defect, roots, logs / "corrected", clock, is_corrected=True)
    plan = defect.plan()
    document = sealed({
        "schema": SCHEMA, "defect": defect.name, "number": number, "engine": ENGINE,
        "verdict": plain["verdict"], "started": iso_utc(began_ns), "ended": iso_utc(clock.now_ns()),
        "plan": plan, "plan_digest": plan_digest(plan), "command": f"tc drill defects {defect.name}",
        "plain": plain, "corrected": control, "environment": environment(),
    })  # fmt: skip
    path = folder / f"{defect.name}-{number}.json"
    write_artifact(path, encode_document(document))
    return Found(
        defect, Shown(plain["verdict"]), None if control is None else Shown(control["verdict"]), document, path
    )


def _try(defect: Defect, roots: Roots, log: Path, clock: Clock, *, is_corrected: bool) -> dict[str, Any]:
    scratch = roots.runtime / FOLDER / f"defect-{defect.name}-{os.getpid()}"
    lab = DefectLab(defect.setting, scratch, log, clock, is_corrected=is_corrected)
    verdict, showing, problem = attempt(defect, lab)
    return {
        "verdict": verdict.value, "problem": problem, "effects": _effects(defect, showing),
        "timeline": showing.timeline, "books": showing.books, "log": str(log),
    }  # fmt: skip


def _effects(defect: Defect, showing: Showing) -> list[dict[str, Any]]:
    return [{**one.as_json(), "value": showing.measured.get(one.name)} for one in defect.effects]
