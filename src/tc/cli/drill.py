"""`tc drill`: experiments on paper runs that prove what a control does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from tc.cli.drill_defects import defects
from tc.cli.options import ArtifactsRoot, AsJson, RuntimeRoot
from tc.cli.output import print_json, print_lines, print_table, say, telling
from tc.errors import InputError
from tc.store.roots import Roots

if TYPE_CHECKING:
    from tc.drills.session import Outcome

ALL = "all"
EXIT_SAID_NO, EXIT_INTERRUPTED = 1, 130


class _DrillGroup(TyperGroup):
    """Takes the name of a drill for `run` with that name."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command that the words name."""
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            args = ["run", *args]
        return super().resolve_command(ctx, args)


app = typer.Typer(help="Experiments that prove what a control does.", no_args_is_help=True, cls=_DrillGroup)

app.command()(defects)

Name = Annotated[str, typer.Argument(help="Name of a drill, as `tc drill list` shows it.")]


@app.command("list")
def list_(as_json: AsJson = False, artifacts_root: ArtifactsRoot = None, runtime_root: RuntimeRoot = None) -> None:
    """Every drill, the control that it proves, and how it last came out."""
    from tc.drills.catalog import DRILLS
    from tc.drills.evidence import latest, read_evidence
    from tc.drills.session import evidence_folder

    folder = evidence_folder(Roots.of(artifacts_root, runtime_root))
    last = {one["drill"]: one for one in map(read_evidence, latest([folder]))}
    rows = [(name, last.get(name, {})) for name in DRILLS]
    if as_json:
        facts = [{"drill": name, "control": DRILLS[name].control, "verdict": one.get("verdict"),
                  "ended": one.get("ended"), "fit": one.get("fit")} for name, one in rows]  # fmt: skip
        print_json(facts)
        return
    table = [(name, _last(one), DRILLS[name].control) for name, one in rows]
    print_table(("DRILL", "LAST", "PROVES"), table)


@app.command()
def show(name: Name, as_json: AsJson = False) -> None:
    """One drill: hypothesis, fault, thresholds, rollback, runbook, negative control."""
    from tc.drills.catalog import find_drill
    from tc.drills.drill import plan_digest

    drill = find_drill(name)
    plan = drill.plan()
    if as_json:
        print_json({**plan, "plan_digest": plan_digest(plan)})
        return
    lines = [f"{drill.name}  {plan_digest(plan)}", f"  proves      {drill.control}"]
    lines += [
        f"  hypothesis  {drill.hypothesis}",
        f"  steady      {drill.steady_state}",
        f"  fault       {drill.fault}",
    ]
    lines += [f"  measures    {one.what}: {one.bound()}" for one in drill.thresholds]
    lines += [f"  rollback    {drill.rollback}", f"  negative    the same without {drill.negative} must fail"]
    lines += [f"  runbook     {drill.runbook}", f"  may hurt    {drill.hurts or '- (wants a run of its own)'}"]
    print_lines(lines)


@app.command()
def run(
    names: Annotated[list[str], typer.Argument(help="Names of drills, or `all`.", metavar="NAME...")],
    run_id: Annotated[str | None, typer.Option("--run-id", help="A running run; default: one of its own.")] = None,
    i_know: Annotated[bool, typer.Option("--i-know", help="With --run-id: that run may be hurt as was said.")] = False,
    repeat: Annotated[int, typer.Option("--repeat", min=1, max=1000, help="How often; reports the flake rate.")] = 1,
    negative: Annotated[
        bool, typer.Option("--negative/--no-negative", help="Do it without the control, too: that must fail.")
    ] = True,
    as_json: AsJson = False,
    artifacts_root: ArtifactsRoot = None,
    runtime_root: RuntimeRoot = None,
) -> None:
    """Do drills one after the other; exit 0 only where each passed and its negative control failed."""
    from tc.cli.runs import find_run
    from tc.drills.catalog import DRILLS, find_drill
    from tc.drills.session import Wish, run_drill

    chosen = list(DRILLS.values()) if names == [ALL] else [find_drill(name) for name in names]
    if len(chosen) > 1 and run_id is not None:
        raise InputError(
            f"found {len(chosen)} drills with --run-id; a running run is drilled by one at a time: name it"
        )
    roots = Roots.of(artifacts_root, runtime_root)
    if run_id is not None:
        run_id = find_run(roots, run_id).run_id
        if chosen[0].hurts:
            say(f"drill {chosen[0].name} on run {run_id} may hurt: {chosen[0].hurts}\n")
    wish = Wish(roots, run_id, i_know, repeat, negative)
    outcomes = []
    with telling(is_quiet=as_json) as tell:
        for drill in chosen:
            outcome = run_drill(drill, wish, tell)
            outcomes.append(outcome)
            if not as_json:
                _show(outcome)
            if outcome.is_interrupted:
                break
    if as_json:
        print_json([one.as_json() for one in outcomes])
    elif len(chosen) > 1:
        _sum_up(outcomes)
    if any(one.is_interrupted for one in outcomes):
        raise typer.Exit(EXIT_INTERRUPTED)
    raise typer.Exit(0 if all(one.is_passed for one in outcomes) else EXIT_SAID_NO)


@app.command()
def report(
    name: Annotated[str | None, typer.Argument(help="Name of a drill; default: every one's last.")] = None,
    html: Annotated[bool, typer.Option("--html", help="Print the path of the page.")] = False,
    as_json: AsJson = False,
    artifacts_root: ArtifactsRoot = None,
    runtime_root: RuntimeRoot = None,
) -> None:
    """The last evidence of a drill, or of each; exit 1 where one did not pass, is unfit, or was changed."""
    from tc.drills.evidence import latest, read_evidence
    from tc.drills.session import evidence_folder

    paths = latest([evidence_folder(Roots.of(artifacts_root, runtime_root))], name)
    documents = [(path, read_evidence(path)) for path in paths]
    if as_json:
        print_json([document for _, document in documents])
    elif html:
        print_lines(str(path.with_suffix(".html")) for path, _ in documents)
    elif name is not None:
        print_lines([documents[0][0].with_suffix(".md").read_text().rstrip()])
    else:
        rows = [(one["drill"], _last(one), one["ended"][:19], str(path)) for path, one in documents]
        print_table(("DRILL", "VERDICT", "ENDED", "EVIDENCE"), rows)
    is_good = all(one["verdict"] == "pass" and one["fit"] is not False and one["is_intact"] for _, one in documents)
    raise typer.Exit(0 if is_good else EXIT_SAID_NO)


def _last(document: dict[str, Any]) -> str:
    if not document:
        return "-"
    if not document["is_intact"]:
        return "CHANGED since it was written"
    fit = {True: "", False: ", UNFIT", None: ", negative control not run"}[document["fit"]]
    return f"{document['verdict']}{fit}"


def _show(outcome: Outcome) -> None:
    fit = {True: "its negative control fails, as it must", False: "UNFIT: its negative control did not fail",
           None: "negative control not run"}[outcome.is_fit]  # fmt: skip
    lines = [f"{outcome.drill.name}: {outcome.verdicts[-1]} in {outcome.seconds:.0f} s; {fit}"]
    if len(outcome.verdicts) > 1:
        counts = ", ".join(f"{outcome.verdicts.count(one)} {one}" for one in sorted(set(outcome.verdicts)))
        lines.append(f"  {len(outcome.verdicts)} times: {counts}; flake rate {outcome.flake_rate:.0%}")
    for one in outcome.document["measurements"]:
        value = "not measured" if not one["is_measured"] else "never" if one["value"] is None else f"{one['value']:.4g}"
        lines.append(f"  {'ok' if one['met'] else 'NO'}  {one['what']}: {value} {one['unit']}")
    lines += [f"  {reason}" for reason in outcome.document["reasons"]]
    print_lines([*lines, f"  {outcome.path}"])


def _sum_up(outcomes: list[Outcome]) -> None:
    passed = sum(one.is_passed for one in outcomes)
    total = sum(one.seconds for one in outcomes)
    print_lines([f"{passed} of {len(outcomes)} drills passed with a negative control that fails, in {total:.0f} s"])
