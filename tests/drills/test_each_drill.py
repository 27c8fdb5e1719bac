"""Every drill as an operator does it: a seeded handful in `make test`, all in `make faults` and `make drills`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tc.drills.catalog import DRILLS
from tc.drills.need import missing


@pytest.mark.whole_run
@pytest.mark.timeout(420)
@pytest.mark.parametrize("name", DRILLS)
def test_a_drill_passes_with_its_control_and_fails_without(tmp_path: Path, name: str) -> None:
    """On a run of its own; where the machine lacks what it needs the verdict is invalid, and says what."""
    roots = ["--artifacts-root", str(tmp_path / "artifacts"), "--runtime-root", str(tmp_path / "runtime")]
    words = [sys.executable, "-P", "-m", "tc", "drill", "run", name, "--json", *roots]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    (found,) = json.loads(done.stdout)
    lacks = missing(DRILLS[name].needs)
    if lacks:
        assert (done.returncode, found["verdict"]) == (1, "invalid"), found
        assert lacks in found["reasons"][0]
        return
    assert (done.returncode, found["verdict"], found["fit"]) == (0, "pass", True), found["reasons"]
