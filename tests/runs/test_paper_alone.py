"""A paper run where there is no network but loopback: everything works, and nothing looks for another address."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from support.capabilities import needs
from support.child import CHILDREN
from support.paper_lab import CANARY, Paper


@needs("namespaces")
def test_in_a_namespace_with_only_loopback_a_paper_run_works_and_asks_for_no_other_address(tmp_path: Path) -> None:
    """The kernel counts packets without a route: none over run, reconciliation and verification; one when tried."""
    paper = Paper(tmp_path, "6s")
    tc = f"{sys.executable} -P -m tc"
    commands = f"{tc} run {paper.spec} --run-id paper --json && {tc} verify paper && {tc} reconcile paper"
    done = subprocess.run(
        ["unshare", "--net", sys.executable, str(CHILDREN / "lonely.py"), "bash", "-c", commands],
        env=paper.environment, capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    found = json.loads(done.stdout)

    assert found["exit_code"] == 0, found["stderr"]
    assert (found["lost"], found["lost_when_tried"]) == (0, 1)
    assert '"reconciliation": "matched"' in found["stdout"]
    assert "decisions replayed the same" in found["stdout"]
    assert paper.run.document("metrics.json")["fills"] > 0
    for text in (found["stdout"], found["stderr"], *(data.decode(errors="replace") for _, data in paper.texts())):
        assert CANARY not in text
