"""Drills as an operator gives them: on a run of their own or a running one, with their negative control, k times."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tc.clock import SYSTEM_CLOCK, Clock, compact_utc
from tc.drills.conduct import Conducted, conduct
from tc.drills.demo import DemoRun
from tc.drills.drill import Drill
from tc.drills.evidence import FOLDER, document_of, register_plan, sealed
from tc.drills.need import missing
from tc.drills.report import render_html, render_markdown
from tc.drills.target import Target
from tc.drills.verdict import Check, Findings, Verdict, judge
from tc.durable import make_directory, write_artifact
from tc.errors import InputError, RefusedError
from tc.store.roots import ARTIFACTS_ROOT_VARIABLE, RUNTIME_ROOT_VARIABLE, Roots
from tc.store.run_directory import RunDirectory, encode_document
from tc.store.run_store import RunStore

Tell = Callable[[str, str], None]
_NEGATIVE = "negative"


@dataclass(frozen=True)
class Wish:
    """How drills are to be done. `run_id` names a running run, which `i_know` allows to be hurt."""

    roots: Roots
    run_id: str | None = None
    i_know: bool = False
    repeat: int = 1
    has_negative: bool = True


@dataclass(frozen=True)
class Outcome:
    """One drill, all its repeats and its negative control.

    `is_fit` is None where the negative control was not run.
    """

    drill: Drill
    verdicts: tuple[Verdict, ...]
    is_fit: bool | None
    negative: Verdict | None
    seconds: float
    document: Mapping[str, Any]
    path: Path
    is_interrupted: bool

    @property
    def is_passed(self) -> bool:
        """Whether every repeat passed, and the negative control failed where it was run."""
        return all(one is Verdict.PASS for one in self.verdicts) and self.is_fit is not False

    @property
    def flake_rate(self) -> float:
        """The share of repeats that ended otherwise than most did."""
        most = max(self.verdicts.count(one) for one in set(self.verdicts))
        return 1 - most / len(self.verdicts)

    def as_json(self) -> dict[str, Any]:
        """Return the facts."""
        return {
            "drill": self.drill.name, "verdict": self.verdicts[-1].value,
            "verdicts": [str(one) for one in self.verdicts],
            "flake_rate": self.flake_rate, "negative_control": self.negative and self.negative.value,
            "fit": self.is_fit, "seconds": round(self.seconds, 1), "passed": self.is_passed,
            "evidence": str(self.path), "reasons": list(self.document["reasons"]),
            "measurements": list(self.document["measurements"]),
        }  # fmt: skip


def run_drill(drill: Drill, wish: Wish, tell: Tell, clock: Clock = SYSTEM_CLOCK) -> Outcome:
    """Do one drill as wished and leave its evidence.

    Raises:
        InputError: the run does not run, or the drill wants one of its own.
        RefusedError: a running run may be hurt, and nobody said that he knows.
    """
    began_ns = clock.monotonic_ns()
    _require_allowed(drill, wish)
    verdicts: list[Verdict] = []
    while True:
        number, folder = _register(drill, wish, clock)
        conducted = _once(drill, wish, number, clock, tell)
        verdicts.append(conducted.judgment.verdict)
        is_last = len(verdicts) >= wish.repeat or conducted.is_interrupted
        negative = None
        if is_last and wish.has_negative and conducted.judgment.verdict is Verdict.PASS:
            tell(drill.name, f"negative control: the same without {drill.negative}")
            negative = _own(drill, wish, f"{number}-{_NEGATIVE}", clock, tell, drill.negative)
        if (
            wish.run_id is not None and conducted.target.run.is_sealed
        ):  # the drill ended it: a sealed run stays as it is
            folder = evidence_folder(wish.roots)
            number = register_plan(folder, drill, clock)
        document = _write(drill, folder, number, conducted, negative, verdicts, clock)
        if is_last:
            break
    return Outcome(
        drill, tuple(verdicts), document["fit"], None if negative is None else negative.judgment.verdict,
        (clock.monotonic_ns() - began_ns) / 1e9, document, folder / f"{drill.name}-{number}.json",
        conducted.is_interrupted or (negative is not None and negative.is_interrupted),
    )  # fmt: skip


def evidence_folder(roots: Roots) -> Path:
    """Return where the evidence of drills lies that were not done on a run that still goes on."""
    return roots.evidence / FOLDER


def _require_allowed(drill: Drill, wish: Wish) -> None:
    if wish.run_id is None:
        return
    run = RunStore(wish.roots).find(wish.run_id)
    if not drill.hurts:
        raise InputError(f"drill {drill.name} wants a run of its own; leave --run-id out")
    if run.is_sealed or Target(run, {}).process("node") is None:
        raise InputError(f"run {wish.run_id} is not running; a drill wants a running one, or leave --run-id out")
    if not wish.i_know:
        raise RefusedError(
            f"drill {drill.name} on run {wish.run_id} may hurt: {drill.hurts}; give --i-know where that may happen"
        )


def _register(drill: Drill, wish: Wish, clock: Clock) -> tuple[int, Path]:
    folder = evidence_folder(wish.roots)
    if wish.run_id is not None:
        folder = RunDirectory(wish.roots, wish.run_id).path / FOLDER
    return register_plan(folder, drill, clock), folder


def _once(drill: Drill, wish: Wish, number: int, clock: Clock, tell: Tell) -> Conducted:
    absent = missing(drill.needs)
    if absent:
        return _invalid(drill, wish, absent, clock)
    if wish.run_id is None:
        return _own(drill, wish, str(number), clock, tell, None)
    environment = os.environ | {
        ARTIFACTS_ROOT_VARIABLE: str(wish.roots.artifacts), RUNTIME_ROOT_VARIABLE: str(wish.roots.runtime),
    }  # fmt: skip
    target = Target(RunDirectory(wish.roots, wish.run_id), environment)
    command = f"tc drill run {drill.name} --run-id {wish.run_id} --i-know"
    return conduct(drill, target, clock, lambda text: tell(drill.name, text), command, None)


def _own(drill: Drill, wish: Wish, name: str, clock: Clock, tell: Tell, cut: str | None) -> Conducted:
    keep = evidence_folder(wish.roots) / "runs" / f"{drill.name}-{name}-{compact_utc(clock.now_ns())}"
    scratch = wish.roots.runtime / FOLDER / f"{drill.name}-{name}-{os.getpid()}"
    make_directory(scratch)
    demo = DemoRun(drill.stage, keep, scratch, clock, cut)
    command = f"tc drill run {drill.name}"
    return conduct(drill, demo.target, clock, lambda text: tell(drill.name, text), command, demo, cut)


def _invalid(drill: Drill, wish: Wish, absent: str, clock: Clock) -> Conducted:
    findings = Findings(preconditions=[Check("this machine has what the drill needs", False, absent, 0.0)])
    target = Target(RunDirectory(wish.roots, "none"), {})
    return Conducted(
        target, findings, judge(drill.thresholds, findings), clock.now_ns(), 0.0, [], [], {}, [], {"entries": 0},
        f"tc drill run {drill.name}", True, False,
    )  # fmt: skip


def _write(
    drill: Drill, folder: Path, number: int, conducted: Conducted, negative: Conducted | None,
    verdicts: list[Verdict], clock: Clock,
) -> dict[str, Any]:  # fmt: skip
    document = document_of(drill, number, conducted, clock)
    document["repeats"] = [one.value for one in verdicts]
    document["fit"] = None if negative is None else negative.judgment.verdict is Verdict.FAIL
    document["negative"] = None
    if negative is not None:
        kept = document_of(drill, number, negative, clock)
        for name in ("plan", "environment", "number", "schema"):
            del kept[name]
        document["negative"] = kept
    document = sealed(document)
    write_artifact(folder / f"{drill.name}-{number}.json", encode_document(document))
    write_artifact(folder / f"{drill.name}-{number}.md", render_markdown(document).encode())
    write_artifact(folder / f"{drill.name}-{number}.html", render_html(document).encode())
    return document
