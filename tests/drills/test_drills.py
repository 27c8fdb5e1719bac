"""The drills as declarations: whole, hashed beforehand, each with a control that can be cut out."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from support.market import PROJECT
from tc.clock import SYSTEM_CLOCK
from tc.drills.catalog import DRILLS, find_drill
from tc.drills.cut import CUTS
from tc.drills.demo import DemoRun
from tc.drills.drill import plan_digest
from tc.drills.evidence import latest, read_evidence, register_plan, sealed
from tc.drills.experiment import Experiment
from tc.drills.limit_drills import losing_streak
from tc.drills.picture import draw_timeline
from tc.drills.report import render_html, render_markdown
from tc.drills.venue_port import Truth
from tc.errors import NotFound
from tc.ids import plain_id
from tc.model.reading import read_run_spec
from tc.store.run_directory import encode_document

EACH = pytest.mark.parametrize("drill", DRILLS.values(), ids=list(DRILLS))


@EACH
def test_a_drill_says_everything_beforehand(drill) -> None:
    """Hypothesis, fault, thresholds with units, rollback, a runbook that exists and a control that can be cut out."""
    assert plain_id(drill.name, "drill") == drill.name
    assert drill.hypothesis
    assert drill.fault
    assert drill.rollback
    assert drill.thresholds
    assert len({one.name for one in drill.thresholds}) == len(drill.thresholds)
    assert all(one.most is not None or one.least is not None for one in drill.thresholds)
    assert (PROJECT / drill.runbook).is_file()
    assert drill.negative in CUTS


@EACH
def test_a_drill_is_in_the_table_of_the_docs(drill) -> None:
    """docs/drills.md lists it."""
    assert f"| `{drill.name}` |" in (PROJECT / "docs" / "drills.md").read_text()


def test_the_docs_list_no_drill_that_is_not_there() -> None:
    """Every row of the table is a drill."""
    text = (PROJECT / "docs" / "drills.md").read_text().partition("## The drills")[2]
    rows = re.findall(r"^\| `([a-z0-9-]+)` \|", text, re.MULTILINE)
    assert set(rows) == set(DRILLS)


def test_a_plan_keeps_its_digest_and_another_tolerance_is_another_plan() -> None:
    """The same declaration gives the same digest; a threshold that was widened afterwards does not."""
    drill = find_drill("kill-switch")
    wider = replace(drill, thresholds=(replace(drill.thresholds[0], most=60.0), *drill.thresholds[1:]))
    assert plan_digest(drill.plan()) == plan_digest(replace(drill).plan())
    assert plan_digest(wider.plan()) != plan_digest(drill.plan())


def test_a_plan_is_on_disk_before_anything_happens_and_numbers_are_not_shared(tmp_path: Path) -> None:
    """Each registration gets a number of its own, also where the last one never got so far as to leave evidence."""
    drill = find_drill("kill-switch")
    assert [register_plan(tmp_path, drill, SYSTEM_CLOCK) for _ in range(3)] == [1, 2, 3]
    assert plan_digest(drill.plan()).encode() in (tmp_path / "plans" / "kill-switch-2.json").read_bytes()


def document() -> dict:
    """Return evidence as a drill leaves it, small."""
    drill = find_drill("kill-switch")
    check = {"what": "a <b> check", "met": True, "found": "yes | no", "t_s": 0.5}
    return {
        "schema": "tc.drill/v1", "drill": drill.name, "number": 1, "verdict": "pass", "reasons": [],
        "started": "2026-01-01T00:00:00Z", "ended": "2026-01-01T00:00:09Z", "seconds": 9.0, "run_id": "drill",
        "run": "runs/drill", "command": "tc drill run kill-switch", "plan_digest": plan_digest(drill.plan()),
        "plan": drill.plan(), "repeats": ["pass"], "fit": True, "problem": None,
        "measurements": [{**one.as_json(), "value": 0.2, "is_measured": True, "met": True} for one in drill.thresholds],
        "before": [check], "landed": [check], "after": [], "rollbacks": [check],
        "timeline": [
            {"t_s": 0.5, "kind": "fault", "what": "SIGSTOP <node>"},
            {"t_s": 2.0, "kind": "verdict", "what": "verdict: pass"},
        ],
        "venue": [{"t_s": 0.1 * n, "working": 9 - n, "exposure": 0.01, "orders": 9, "fills": 1} for n in range(9)],
        "negative": {"verdict": "fail", "reasons": ["it never was flat"]}, "processes": [],
        "journal": {"entries": 10, "to_hash": "ab"},
        "environment": {"system": "Linux", "cpus": 2, "load": [0.1], "python": "3.12", "nautilus_trader": "1.231.0",
                        "code_sha256": "cd"},
    }  # fmt: skip


def test_a_losing_streak_is_counted_from_the_venues_fills() -> None:
    """Rounds go from flat to flat, their fees count, and a round that won, or a position still open, is no loss."""

    def fills(*rows: tuple[str, str, str]) -> Truth:
        names = ("side", "quantity", "realized")
        return Truth({"fills": [{**dict(zip(names, row, strict=True)), "fee": "1"} for row in rows]})

    lost, won = [("BUY", "2", "0"), ("SELL", "2", "1.5")], [("SELL", "1", "0"), ("BUY", "1", "2")]
    assert losing_streak(fills(*lost, *lost)) == 2
    assert losing_streak(fills(*lost, *won)) == 0
    assert losing_streak(fills(*won, *lost, ("BUY", "1", "0"))) == 1


class Sticky:
    """A fault that is still there when taking it back is interrupted for the first time."""

    what = "a fault"

    def __init__(self) -> None:
        self.is_there = self.was_interrupted = False

    def bring_in(self, _target: object) -> None:
        self.is_there = True

    def take_back(self, _target: object) -> None:
        if not self.was_interrupted:
            self.was_interrupted = True
            raise KeyboardInterrupt
        self.is_there = False

    def remains(self, _target: object) -> str | None:
        return "it is still there" if self.is_there else None


@pytest.mark.parametrize("is_all", [False, True])
def test_ctrl_c_while_a_fault_is_lifted_leaves_it_to_the_rollback(is_all) -> None:
    """Lifting one or all is interrupted before anything was done: the end of the drill does it, and sees it gone."""
    fault = Sticky()
    x = Experiment(find_drill("reject-storm"), None, SYSTEM_CLOCK, lambda _text: None)
    x.inject(fault, is_proven_later=True)
    with pytest.raises(KeyboardInterrupt):
        x.roll_back() if is_all else x.lift(fault)
    x.roll_back()
    assert not fault.is_there
    assert [one.is_met for one in x.findings.rollbacks] == [True]


@EACH
def test_a_stage_is_a_spec_that_the_product_takes(drill, tmp_path: Path) -> None:
    """Every drill's own run is described by a RunSpec that is read without a problem."""
    spec = DemoRun(drill.stage, tmp_path, tmp_path, SYSTEM_CLOCK).spec()
    found = read_run_spec(json.dumps(spec).encode(), drill.name)
    assert len(found.instruments) == len(drill.stage.coins)


def test_evidence_that_was_changed_is_known(tmp_path: Path) -> None:
    """One changed verdict and the digest does not hold any more."""
    path = tmp_path / "kill-switch-1.json"
    whole = sealed(document())
    path.write_bytes(encode_document(whole))
    assert read_evidence(path)["is_intact"]
    path.write_bytes(encode_document(whole | {"verdict": "fail"}))
    assert not read_evidence(path)["is_intact"]


def test_the_newest_evidence_of_each_drill_is_found(tmp_path: Path) -> None:
    """By time, not by number; plans and other files are not evidence."""
    for number, name in enumerate(("a-1", "a-10", "b-b-2", "a-2")):
        path = tmp_path / f"{name}.json"
        path.write_text("{}")
        os.utime(path, (number, number))
    (tmp_path / "notes.json").write_text("{}")
    assert [path.stem for path in latest([tmp_path])] == ["a-2", "b-b-2"]
    with pytest.raises(NotFound, match="no evidence of drill 'c'"):
        latest([tmp_path], "c")


def test_a_report_escapes_what_it_is_given_and_draws_every_moment() -> None:
    """Markdown and page hold verdict, measurements and negative control; text of a run is never markup."""
    whole = document()
    page, text = render_html(whole), render_markdown(whole)
    assert "<b> check" not in page
    assert "SIGSTOP &lt;node&gt;" in page
    assert "ended in fail, as it must" in page
    assert "yes \\| no" in text
    assert draw_timeline(whole).count("<circle") == 2
    assert "http" not in page.replace("http://www.w3.org", "")


EACH_CUT = """
import os, sys, traceback
import tc.engine.live
from tc.drills.cut import CUTS
for name, cuts in CUTS.items():
    child = os.fork()
    if not child:
        try:
            for cut in cuts.values():
                cut()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        sys.exit(name)
"""


def test_what_a_cut_cuts_is_there() -> None:
    """Each cut finds the control that it replaces: one that was renamed is no cut."""
    done = subprocess.run([sys.executable, "-P", "-c", EACH_CUT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_control_is_cut_out_nowhere_but_in_a_child_of_a_living_drill(tmp_path: Path) -> None:
    """Started by hand the mutant refuses, also in a folder of a drill that is over."""
    command = [sys.executable, "-P", "-m", "tc.drills.mutant", "kill", "-", "run", "spec.yaml"]
    plain = subprocess.run(command, capture_output=True, text=True, check=False)
    (tmp_path / "drill.json").write_text('{"pid": 1, "start_time": 1}')
    environment = os.environ | {"XDG_STATE_HOME": str(tmp_path / "state")}
    dead = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    for done in (plain, dead):
        assert done.returncode != 0
        assert "only in a child of a drill" in done.stderr
