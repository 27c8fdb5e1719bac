"""How a run ended, in its journal and as a result; the reports that a seal writes are not loaded for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tc.durable import Entry
from tc.store.run_directory import METRICS, RECONCILIATION, RunDirectory

RUN_ENDED = "RunEnded"


@dataclass(frozen=True)
class Ending:
    """How a run ended, as far as the process that ran it can say; None is not known.

    `is_journaled` says that the journal ends with it already: the sealing itself was interrupted.
    """

    status: str
    reason: str
    exit_code: int | None
    bars: int | None
    bars_total: int | None
    is_journaled: bool = False


_RECORDED = ("status", "reason", "exit_code", "bars", "bars_total")


def record_of(ending: Ending) -> dict[str, Any]:
    """Return what the journal keeps of it."""
    return {name: getattr(ending, name) for name in _RECORDED}


def recorded_ending(last: Entry | None) -> Ending | None:
    """Return the ending that a journal's last entry records, or None where it records none."""
    if last is None or last.type != RUN_ENDED:
        return None
    data = last.payload()
    return Ending(**{name: data[name] for name in _RECORDED}, is_journaled=True)


@dataclass(frozen=True)
class RunResult:
    """A sealed run."""

    run: RunDirectory
    metadata: dict[str, Any]
    metrics: dict[str, Any]
    reconciliation: dict[str, Any]

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self.run.run_id

    @property
    def status(self) -> str:
        """The status it was sealed with."""
        return str(self.metadata["status"])

    @property
    def exit_code(self) -> int:
        """What the command that ran it ends with."""
        code = self.metadata["exit_code"]
        return 0 if code is None else int(code)

    def as_json(self) -> dict[str, Any]:
        """Return the facts for machines."""
        return {
            "run_id": self.run_id,
            "status": self.status,
            "reason": self.metadata["reason"],
            "exit_code": self.exit_code,
            "directory": str(self.run.path),
            "result_digest": self.metadata["result_digest"],
            "reconciliation": self.reconciliation["verdict"],
            "metrics": self.metrics,
        }


def load_result(run: RunDirectory) -> RunResult:
    """Return a sealed run as it was sealed."""
    return RunResult(run, run.metadata(), run.document(METRICS), run.document(RECONCILIATION))
