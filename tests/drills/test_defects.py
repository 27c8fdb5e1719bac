"""The defects of the plain engine: declared whole, in the docs, and shown by real processes."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from support.market import PROJECT
from support.venue_process import until
from tc.drills.catalog import DRILLS
from tc.drills.defect import Showing, Shown, shown
from tc.drills.defect_list import DEFECTS, find_defect
from tc.drills.drill import plan_digest
from tc.drills.evidence import read_evidence
from tc.errors import NotFound
from tc.ids import plain_id

PAGE = PROJECT / "docs" / "engine-defects.md"
EACH = pytest.mark.parametrize("defect", DEFECTS, ids=[one.name for one in DEFECTS])


def defects(folder: Path, *arguments: str) -> tuple[int, str, str]:
    """Give `tc drill defects` and return how it ended and what it said."""
    roots = ["--artifacts-root", str(folder / "artifacts"), "--runtime-root", str(folder / "runtime")]
    command = [sys.executable, "-P", "-m", "tc", "drill", "defects", *arguments, *roots]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=400, env=dict(os.environ))
    return done.returncode, done.stdout, done.stderr


@EACH
def test_a_defect_says_beforehand_what_it_must_cost(defect) -> None:
    """Each has a bound in position or money, a correction, and proof of that which exists; the plan has a digest."""
    assert plain_id(defect.name, "defect") == defect.name
    assert {one.unit for one in defect.effects} & {"BTC", "USDT"}
    assert all(one.least is not None or one.most is not None for one in defect.effects)
    assert defect.correction
    for name in re.findall(r"`(.+?)`", defect.proof):
        assert name in DRILLS or (PROJECT / name).is_file()
    assert plan_digest(defect.plan()) == plan_digest(find_defect(defect.name).plan())


@EACH
def test_a_defect_is_in_the_docs_with_the_command_that_shows_it(defect) -> None:
    """docs/engine-defects.md names it, its correction's code and the command."""
    text = PAGE.read_text()
    assert f"tc drill defects {defect.name}`" in text
    for name in re.findall(r"`(\w+)(?:\.\w+)?`", defect.correction):
        assert name in text


def test_an_effect_that_was_not_measured_leaves_a_defect_open() -> None:
    """Neither reproduced nor not: a missing number, or a problem on the way."""
    defect = find_defect("late-execution")
    showing = Showing(None)  # type: ignore[arg-type] - no node is asked here
    assert shown(defect, showing, None) is Shown.INCONCLUSIVE
    showing.measured = {one.name: one.least or 0.0 for one in defect.effects}  # exactly what was asked for
    assert shown(defect, showing, None) is Shown.REPRODUCED
    assert shown(defect, showing, "the venue was gone") is Shown.INCONCLUSIVE
    showing.measured["position"] = 0.0
    assert shown(defect, showing, None) is Shown.NOT_REPRODUCED
    assert shown(defect, showing, None, is_corrected=True) is Shown.REPRODUCED, "one effect is one too many"
    showing.measured = dict.fromkeys(showing.measured, 0.0)
    assert shown(defect, showing, None, is_corrected=True) is Shown.NOT_REPRODUCED


def test_defects_are_listed_and_an_unknown_one_is_refused(tmp_path: Path) -> None:
    """--list names all and starts nothing; another name is exit 2."""
    code, out, _ = defects(tmp_path, "--list", "--json")
    assert (code, [one["defect"] for one in json.loads(out)]) == (0, [one.name for one in DEFECTS])
    assert not (tmp_path / "artifacts").exists()
    code, _, words = defects(tmp_path, "nonsense")
    assert (code, "no defect 'nonsense'" in words) == (2, True)
    with pytest.raises(NotFound):
        find_defect("")


@pytest.mark.whole_run
def test_a_defect_that_is_broken_off_leaves_nothing_behind(tmp_path: Path) -> None:
    """SIGTERM while its venue and node are there: exit 130, and neither a process nor a folder of it is left."""
    roots = ["--artifacts-root", str(tmp_path / "artifacts"), "--runtime-root", str(tmp_path / "runtime")]
    command = [sys.executable, "-P", "-m", "tc", "drill", "defects", "blind-for-good", *roots]
    showing = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until(lambda: list((tmp_path / "artifacts").rglob("nautilus*")), "the node did not begin", 60.0)
    showing.send_signal(signal.SIGTERM)
    _, words = showing.communicate(timeout=60)
    assert showing.returncode == 130, words
    mark = str(tmp_path).encode()
    assert not [path for path in Path("/proc").glob("[0-9]*/cmdline") if mark in said(path)]
    assert not list((tmp_path / "runtime" / "drills").iterdir())


def said(path: Path) -> bytes:
    """Return a command line, nothing where its process is gone."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


@pytest.mark.whole_run
@pytest.mark.timeout(420)
@EACH
def test_the_plain_engine_shows_it_and_ours_does_not(tmp_path: Path, defect) -> None:
    """Real node, real venue: the effect is measured on the plain engine, is none with our client, and is evidence."""
    code, out, words = defects(tmp_path, defect.name, "--json")
    (found,) = json.loads(out)
    assert (code, found["verdict"]) == (0, "reproduced"), words + out
    assert found["corrected"] == ("not reproduced" if defect.is_in_client else None)
    evidence = read_evidence(Path(found["evidence"]))
    assert evidence["is_intact"]
    assert evidence["plan_digest"] == plan_digest(defect.plan())
    effects = {one["name"]: one["value"] for one in evidence["plain"]["effects"]}
    assert all(one.is_met(effects[one.name]) for one in defect.effects)
    assert evidence["plain"]["books"]
    text = Path(found["evidence"]).read_text()
    assert "api_secret" not in text
    assert not list((tmp_path / "runtime" / "drills").iterdir()), "a lab left something behind"
