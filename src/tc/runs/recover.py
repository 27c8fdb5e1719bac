"""Close runs whose process is gone: repair the journal's tail, fold what is there, report, seal."""

from __future__ import annotations

from tc.clock import SYSTEM_CLOCK, Clock
from tc.durable import Journal, sweep_temporaries, tail_entries
from tc.errors import BusyError, ComponentFault, InputError, LockTimeout, TcError
from tc.model.reading import read_run_spec
from tc.model.run_spec import RunSpec
from tc.runs.ending import Ending, RunResult, recorded_ending
from tc.runs.inputs import LoadedFeed, load_feed
from tc.runs.seal import seal_run
from tc.store.roots import Roots
from tc.store.run_directory import JOURNAL, METADATA, RUN_SPEC, RunDirectory
from tc.store.run_store import RunStore, RunWriter

REASON = "its process ended without closing it; closed by recovery"


def recoverable(roots: Roots) -> list[str]:
    """Return the runs of this host that are unsealed and whose process is gone."""
    store = RunStore(roots)
    summaries = store.summaries(store.run_ids())
    return [
        summary.run_id
        for summary in summaries
        if not summary.is_sealed and summary.status == "interrupted" and summary.problem is None
    ]


def recover_run(roots: Roots, run_id: str, clock: Clock = SYSTEM_CLOCK) -> RunResult:
    """Seal an interrupted run as `interrupted`, with journal, metrics and report of what it did.

    Raises InputError for one that is sealed already and LockTimeout for one that still runs. Safe to repeat: a recovery
    that is itself killed leaves a run that can be recovered.
    """
    store = RunStore(roots)
    run = store.find(run_id)
    if run.is_sealed:
        raise InputError(f"run {run_id} is sealed already; there is nothing to recover")
    if run.file(METADATA).exists() and run.metadata()["mode"] == "paper":
        return _settle(roots, run_id, clock)
    try:
        writer = store.reopen(run_id)
    except LockTimeout as error:
        raise BusyError(f"run {run_id} is still running, held by {error.holder}; stop it first") from None
    try:
        if run.is_sealed:
            raise InputError(f"run {run_id} was sealed just now; there is nothing to recover")
        return _close(writer, clock)
    finally:
        writer.close()


def _settle(roots: Roots, run_id: str, clock: Clock) -> RunResult:
    # What the venue did since must be known before anything is sealed.
    from tc.runs.paper_recovery import resume_paper

    end = resume_paper(roots, run_id, lambda _fact: None, is_closing=True, clock=clock)
    if end.result is None:
        raise ComponentFault(f"run {run_id} could not be closed; its node ended with {end.exit_code} and said why")
    return end.result


def _close(writer: RunWriter, clock: Clock) -> RunResult:
    run = writer.directory
    sweep_temporaries(run.path)
    path = run.file(JOURNAL)
    journal = Journal.open(path) if path.exists() else Journal.create(path)
    spec = _spec_of(run)
    feeds = _feeds_of(spec, run.roots)
    last = next(iter(tail_entries(path, 1)), None)
    ending = recorded_ending(last) or Ending("interrupted", REASON, None, None, writer.metadata.get("bars_total"))
    return seal_run(writer, journal, ending, spec, feeds, clock)


def _spec_of(run: RunDirectory) -> RunSpec | None:
    path = run.file(RUN_SPEC)
    return read_run_spec(path.read_bytes(), RUN_SPEC) if path.exists() else None


def _feeds_of(spec: RunSpec | None, roots: Roots) -> list[LoadedFeed]:
    if spec is None:
        return []
    try:
        return [load_feed(feed, spec, roots) for feed in spec.data]
    except TcError:  # the data may be gone by now: the report then has no chart and says so
        return []
