"""Close a run: judge its journal, write metrics and report, and seal the directory."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from tc.clock import Clock, iso_utc
from tc.data.bar_table import BarTable
from tc.durable import (
    Journal,
    make_directory,
    protect_tree,
    read_artifact,
    read_entries,
    remove_tree,
    write_artifact,
)
from tc.errors import NotFound
from tc.evidence.facts import ReportFacts, gather
from tc.evidence.fold import fold_journal
from tc.evidence.manifest import build_anchor, build_manifest
from tc.evidence.metrics import run_metrics
from tc.evidence.reconcile import Reconciliation, reconcile
from tc.evidence.report_html import render_html
from tc.evidence.report_markdown import render_markdown
from tc.evidence.result_digest import ResultDigest
from tc.model.heartbeat import STALL_FILES
from tc.model.run_spec import RunSpec
from tc.runs.ending import RUN_ENDED, Ending, RunResult, record_of
from tc.runs.inputs import LoadedFeed
from tc.store.run_directory import (
    ENGINE_LOG,
    JOURNAL,
    MANIFEST,
    METRICS,
    RECONCILIATION,
    REPORT_HTML,
    REPORT_MARKDOWN,
    STALLS,
    STATE,
    encode_document,
)
from tc.store.run_store import RunWriter

EXIT_CHECK_SAID_NO = 1


def seal_run(
    writer: RunWriter,
    journal: Journal,
    ending: Ending,
    spec: RunSpec | None,
    feeds: list[LoadedFeed],
    clock: Clock,
    state: Mapping[str, bytes] = MappingProxyType({}),
) -> RunResult:
    """Write everything that a finished run owes, then its manifest, and make the directory read-only.

    `state` is the account's derived state by file name; of a run whose process is gone there is none.
    Killed at any point before the manifest, the run counts as interrupted and can be sealed again.
    """
    run = writer.directory
    journal.flush()
    digest = ResultDigest()
    fold = fold_journal(digest.watch(read_entries(run.file(JOURNAL))))
    reconciliation = reconcile(fold, fold.engine_state)
    if not ending.is_journaled:
        ending = _judged(ending, reconciliation)
    is_whole = fold.engine_state is not None and ending.bars is not None
    result_digest = digest.value() if is_whole else None
    ended_ns = clock.now_ns()
    if not ending.is_journaled:
        record = {**record_of(ending), "result_digest": result_digest, "reconciliation": reconciliation.verdict}
        journal.append(RUN_ENDED, ended_ns, record)
    head = journal.head
    journal.close()
    metadata = {
        **writer.metadata,
        "status": ending.status,
        "reason": ending.reason,
        "exit_code": ending.exit_code,
        "ended": iso_utc(ended_ns),
        "bars": ending.bars,
        "bars_total": ending.bars_total,
        "result_digest": result_digest,
    }
    facts = gather(metadata, spec, fold, reconciliation, _finest(feeds))
    metrics = run_metrics(facts)
    _write_documents(writer, spec, facts, metrics, reconciliation)
    _write_state(writer, state)
    writer.update(**metadata)
    manifest = build_manifest(run, head, result_digest)
    write_artifact(run.anchor_path, build_anchor(run, manifest))
    writer.write(MANIFEST, manifest)
    protect_tree(run.path)
    if run.scratch.is_dir():
        remove_tree(run.scratch)
    return RunResult(run, metadata, metrics, reconciliation.to_json())


def _write_state(writer: RunWriter, state: Mapping[str, bytes]) -> None:
    if state:
        make_directory(writer.directory.file(STATE))
    for name, data in state.items():
        writer.write(f"{STATE}/{name}", data)


def _finest(feeds: list[LoadedFeed]) -> dict[str, BarTable]:
    """Return each instrument's bars; of several feeds the one with the most."""
    ordered = sorted(feeds, key=lambda one: len(one.table))
    return {one.feed.instrument_id: one.table for one in ordered}


def _judged(ending: Ending, reconciliation: Reconciliation) -> Ending:
    """Return the ending, turned into a failure where engine and journal do not agree."""
    if reconciliation.verdict != "mismatched" or ending.status == "failed":
        return ending
    return Ending(
        "failed",
        f"reconciliation found the engine's final state at odds with the journal; before that: {ending.reason}",
        EXIT_CHECK_SAID_NO,
        ending.bars,
        ending.bars_total,
    )


def _write_documents(
    writer: RunWriter,
    spec: RunSpec | None,
    facts: ReportFacts,
    metrics: dict[str, Any],
    reconciliation: Reconciliation,
) -> None:
    run = writer.directory
    writer.write(RECONCILIATION, encode_document(reconciliation.to_json()))
    writer.write(METRICS, encode_document(metrics))
    writer.write(REPORT_MARKDOWN, render_markdown(facts))
    if spec is None or spec.observability.report == "html":
        writer.write(REPORT_HTML, render_html(facts))
    try:
        writer.write(ENGINE_LOG, read_artifact(run.scratch / ENGINE_LOG))
    except NotFound:
        writer.write(ENGINE_LOG, b"")
    stalls = sorted(run.scratch.glob(STALL_FILES))
    if stalls:
        make_directory(run.file(STALLS))
    for path in stalls:
        writer.write(f"{STALLS}/{path.name}", read_artifact(path))
