"""`tc reconcile`: venue, engine and journal of a run held against one another now."""

from __future__ import annotations

import typer

from tc.cli.options import ArtifactsRoot, AsJson, RunId, RuntimeRoot
from tc.cli.output import print_json, print_lines
from tc.store.roots import Roots


def reconcile(
    run_id: RunId, as_json: AsJson = False, artifacts_root: ArtifactsRoot = None, runtime_root: RuntimeRoot = None
) -> None:
    """Reconcile a running run with its venue now, or judge an ended one anew from its journal."""
    from tc.cli.runs import find_run
    from tc.runs.reconcile import reconcile_run

    roots = Roots.of(artifacts_root, runtime_root)
    found = reconcile_run(roots, find_run(roots, run_id).run_id)
    if as_json:
        print_json({**found.document, "kept": str(found.path)})
    else:
        count = len(found.document["checks"])
        print_lines([f"{found.document['run_id']}: {found.document['verdict']}, {count} checks; {found.path}"])
        print_lines(f"  {_said(each)}" for each in found.breaks)
    raise typer.Exit(0 if found.is_matched else 1)


def _said(each: dict[str, object]) -> str:
    if "name" in each:
        return f"{each['break_class']}: {each['name']}: expected {each['expected']}, found {each['found']}"
    age = f", for {each['age_s']} s" if each.get("age_s") else ""
    sides = f"venue {each['venue']}, engine {each['engine']}, journal {each['journal']}"
    return f"{each['break_class']}: {each['subject']}: {sides}{age}"
