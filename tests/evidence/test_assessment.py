"""A self-assessment calls a control fresh only where evidence of the period shows it, and names what is missing."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from support.run_lab import make_lab
from tc.clock import iso_utc
from tc.drills import catalog
from tc.evidence.assessment import assess
from tc.evidence.assessment_page import assessment_document, assessment_page
from tc.evidence.control import REGISTER, Control, read_register
from tc.store.roots import Roots

PROJECT = Path(__file__).parents[2]
NOW = datetime(2026, 6, 1, tzinfo=UTC)
NOW_NS = int(NOW.timestamp()) * 1_000_000_000
YEAR_NS = 365 * 86_400_000_000_000


def control(**fields) -> Control:
    """Return a control that one drill shows."""
    named = {"id": "kill", "title": "kills", "anchors": (), "implementation": (), "tests": (), "runbook": "x"}
    return Control(**{**named, "drills": ("kill-switch",), "days": 90, **fields})


def drilled(roots: Roots, name: str, *, days_ago: int, number: int = 1, **fields) -> None:
    """Leave the evidence of a drill."""
    folder = roots.evidence / "drills"
    folder.mkdir(parents=True, exist_ok=True)
    ended = (NOW - timedelta(days=days_ago)).isoformat()
    document = {"drill": name, "verdict": "pass", "fit": True, "ended": ended, **fields}
    (folder / f"{name}-{number}.json").write_text(json.dumps(document))


@pytest.fixture
def roots(tmp_path) -> Roots:
    """Return empty roots."""
    return Roots(tmp_path / "artifacts", tmp_path / "runtime")


@pytest.mark.parametrize(
    ("evidence", "state"),
    [
        ([], "missing"),
        ([{"days_ago": 3}], "fresh"),
        ([{"days_ago": 91}], "stale"),
        ([{"days_ago": 3, "verdict": "fail"}], "failed"),
        ([{"days_ago": 3, "verdict": "inconclusive"}], "failed"),
        ([{"days_ago": 3, "fit": False}], "failed"),
        ([{"days_ago": 9, "verdict": "fail"}, {"days_ago": 3, "number": 2}], "fresh"),
        ([{"days_ago": 9}, {"days_ago": 3, "number": 2, "verdict": "fail"}], "failed"),
        ([{"days_ago": 400}], "missing"),
        ([{"days_ago": -3}], "missing"),
    ],
)
def test_the_latest_drill_of_the_period_decides(roots, evidence, state) -> None:
    """Old is stale, another verdict than pass and an unfit drill are failed, outside of the period is nothing."""
    for one in evidence:
        drilled(roots, "kill-switch", **one)
    found = assess(roots, [control()], NOW_NS - YEAR_NS, NOW_NS)
    assert found.controls[0].state == state
    assert found.is_complete == (state == "fresh")
    assert ("kill" in assessment_page(found).split("## What happened")[0].split("## To do")[1]) == (state != "fresh")


def test_a_control_that_nothing_but_tests_speaks_for_is_missing(roots) -> None:
    """No drill, no entry, no comparison: it is on the list of what to do."""
    found = assess(roots, [control(drills=())], NOW_NS - YEAR_NS, NOW_NS)
    assert found.controls[0].state == "missing"
    assert "its tests alone speak for it" in assessment_page(found)


def test_what_cannot_be_read_is_named_and_hides_nothing(roots) -> None:
    """A torn file and one that is no evidence are listed; the drill beside them counts."""
    drilled(roots, "kill-switch", days_ago=3)
    (roots.evidence / "drills" / "torn.json").write_text('{"drill": ')
    (roots.evidence / "drills" / "odd.json").write_text('{"drill": "x", "ended": "yesterday"}')
    found = assess(roots, [control()], NOW_NS - YEAR_NS, NOW_NS)
    assert found.controls[0].state == "fresh"
    assert len(found.unreadable) == 2
    assert assessment_document(found)["unreadable"] == found.unreadable


@pytest.mark.slow
def test_a_sealed_run_of_the_period_is_evidence_by_its_journal(tmp_path) -> None:
    """A type of entry that some sealed run has counts, cited with the journal's digest; another is missing."""
    lab = make_lab(tmp_path, bars=300)
    lab.run("one")
    until = datetime.now(tz=UTC) + timedelta(minutes=1)
    until_ns = int(until.timestamp()) * 1_000_000_000
    both = [control(drills=(), journal=("OrderInitialized",)), control(drills=(), journal=("OverrideUsed",))]
    found = assess(Roots(lab.artifacts, lab.runtime), both, until_ns - YEAR_NS, until_ns)
    assert [one.state for one in found.controls] == ["fresh", "missing"]
    assert found.controls[0].evidence[0].digest.startswith("sha256:")
    assert found.runs["backtest completed"] == 1
    done = lab.tc("assess", "--json")
    document = json.loads(done.stdout)
    assert (done.returncode, document["is_complete"]) == (1, False)
    assert {one["id"]: one["state"] for one in document["controls"]}["attribution"] == "fresh"
    assert Path(document["files"][1]).read_text().startswith(f"# Self-assessment, {iso_utc(until_ns - YEAR_NS)[:4]}")
    assert lab.tc("assess", "--since", "soon").returncode == 2


def test_everything_that_the_register_names_is_there() -> None:
    """Modules, tests, drills and runbooks exist; every drill is named by a control; docs has the register's bytes."""
    register = read_register()
    for one in register:
        for path in (*(f"src/{name}" for name in one.implementation), *one.tests, one.runbook):
            assert (PROJECT / path).exists(), f"{one.id} names {path}"
        assert set(one.drills) <= set(catalog.DRILLS), one.id
    assert {name for one in register for name in one.drills} >= set(catalog.DRILLS)
    copy = PROJECT / "docs" / "controls" / "register.yaml"
    assert yaml.safe_load(copy.read_text()) == yaml.safe_load(REGISTER.read_text())
    assert copy.read_bytes() == REGISTER.read_bytes(), "make docs renews it"
