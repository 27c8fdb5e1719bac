"""A paper run on a disk that fills up: exit 5, nothing sent that is not recorded, and sealed once there is space."""

from __future__ import annotations

from pathlib import Path

from support.capabilities import needs
from support.mounts import remount, small_disk
from support.paper_lab import Paper
from tc.runs.paper_recovery import resume_paper


@needs("tmpfs")
def test_a_disk_that_fills_up_ends_a_paper_run_with_exit_5_and_space_heals_it(tmp_path: Path, monkeypatch) -> None:
    """The run stands down and stays open, its words name the disk; with space recovery settles it: matched."""
    paper = Paper(tmp_path, "60s")
    for name, value in paper.environment.items():
        monkeypatch.setenv(name, value)
    with small_disk(paper.roots.artifacts, "300k") as root:
        code, words = paper.refused()
        assert code == 5, words
        assert "the disk failed" in words
        assert "Traceback" not in words
        assert not paper.run.is_sealed
        remount(root, "size=64m")
        end = resume_paper(paper.roots, "paper", lambda _fact: None, is_closing=True)
        assert end.result is not None
        assert end.result.reconciliation["verdict"] == "matched"
        counts = paper.counts()
        assert counts["OrderFilled"] > 0
