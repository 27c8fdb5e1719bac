"""`tc drill defects`: what the engine and its adapter do where nobody corrects them, shown and measured."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tc.cli.options import ArtifactsRoot, AsJson, RuntimeRoot
from tc.cli.output import print_json, print_lines, print_table, telling
from tc.store.roots import Roots

if TYPE_CHECKING:
    from tc.drills.defect_run import Found

EXIT_SAID_NO = 1


def defects(
    names: Annotated[list[str] | None, typer.Argument(help="Which; default: all.", metavar="[NAME]...")] = None,
    only_list: Annotated[bool, typer.Option("--list", help="Only say which there are.")] = False,
    control: Annotated[
        bool, typer.Option("--control/--no-control", help="Do it with our client, too: that must not show it.")
    ] = True,
    as_json: AsJson = False,
    artifacts_root: ArtifactsRoot = None,
    runtime_root: RuntimeRoot = None,
) -> None:
    """Show known defects on the unmodified engine; exit 0 only where each is reproduced, and not with our client."""
    from tc.drills.defect_list import DEFECTS, find_defect
    from tc.drills.defect_run import show_defect

    chosen = [find_defect(name) for name in names] if names else list(DEFECTS)
    if only_list:
        if as_json:
            print_json([one.plan() for one in chosen])
        else:
            print_table(("DEFECT", "WHAT"), [(one.name, one.what) for one in chosen])
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: venue and node end with us
    roots = Roots.of(artifacts_root, runtime_root)
    found = []
    with telling(is_quiet=as_json) as tell:
        for one in chosen:
            found.append(show_defect(one, roots, tell, has_control=control))
            if not as_json:
                _show(found[-1])
    if as_json:
        print_json([_facts(one) for one in found])
    elif len(found) > 1:
        good = sum(one.is_good for one in found)
        tried = sum(one.corrected is not None for one in found)
        print_lines(
            [f"{good} of {len(found)} as it must be: on the plain engine, and not in the {tried} with our client"]
        )
    raise typer.Exit(0 if all(one.is_good for one in found) else EXIT_SAID_NO)


def _facts(found: Found) -> dict[str, Any]:
    return {
        "defect": found.defect.name, "verdict": found.plain.value,
        "corrected": None if found.corrected is None else found.corrected.value, "good": found.is_good,
        "effects": found.document["plain"]["effects"], "problem": found.document["plain"]["problem"],
        "evidence": str(found.path),
    }  # fmt: skip


def _show(found: Found) -> None:
    with_ours = "not tried" if found.corrected is None else found.corrected.value
    lines = [f"{found.defect.name}: {found.plain}; with our client: {with_ours}"]
    corrected = found.document["corrected"]
    ours = {} if corrected is None else {one["name"]: one["value"] for one in corrected["effects"]}
    for one in found.document["plain"]["effects"]:
        value = "not measured" if one["value"] is None else f"{one['value']:g} {one['unit']}"
        beside = f" (with our client {ours[one['name']]:g})" if ours.get(one["name"]) is not None else ""
        lines.append(f"  {one['what']}: {value}{beside}")
    problems = [each["problem"] for each in (found.document["plain"], corrected) if each and each["problem"]]
    print_lines([*lines, *(f"  {problem}" for problem in problems), f"  {found.path}"])
