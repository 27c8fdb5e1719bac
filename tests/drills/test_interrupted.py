"""Ctrl-C in the middle of every drill, once its fault is seen to be there: a seeded handful in `make test`."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tc.drills.catalog import DRILLS
from tc.drills.evidence import read_evidence
from tc.drills.need import missing
from tc.supervise.program import processes_with


@pytest.mark.whole_run
@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", DRILLS)
def test_ctrl_c_after_a_fault_landed_takes_it_back(tmp_path: Path, name: str) -> None:
    """Exit 130; the evidence is no pass, each fault was seen to be gone; no process, scratch or loose disk is left."""
    if lacks := missing(DRILLS[name].needs):
        pytest.skip(f"it breaks nothing here, and says invalid: no {lacks}")
    roots = ["--artifacts-root", str(tmp_path / "artifacts"), "--runtime-root", str(tmp_path / "runtime")]
    words = [sys.executable, "-P", "-m", "tc", "drill", "run", name, "--no-negative", *roots]
    drilling = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert drilling.stderr is not None
    said = []
    for line in drilling.stderr:
        said.append(line)
        if "landed:" in line:
            break
    (state,) = (tmp_path / "runtime").glob("drills/*/state")
    drilling.send_signal(signal.SIGINT)
    _, rest = drilling.communicate(timeout=120)

    assert drilling.returncode == 130, (said, rest)
    (path,) = (tmp_path / "artifacts" / "evidence" / "drills").glob("*.json")
    evidence = read_evidence(path)
    assert evidence["is_intact"]
    assert evidence["verdict"] in ("inconclusive", "fail"), evidence["reasons"]
    assert evidence["landed"]
    assert evidence["rollbacks"]
    assert all(one["met"] for one in evidence["rollbacks"]), evidence["rollbacks"]
    assert not list(processes_with("XDG_STATE_HOME", str(state)))
    assert not state.parent.exists()
    assert str(tmp_path) not in Path("/proc/self/mounts").read_text()
