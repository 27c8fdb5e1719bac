"""A run on a disk that fails: one sentence, exit 5, nothing half-written, nothing left running."""

from __future__ import annotations

import pytest

from support.capabilities import needs
from support.mounts import remount, small_disk
from support.run_lab import Lab, make_lab


@needs("tmpfs")
@pytest.mark.parametrize("part", [0.02, 0.1, 0.5, 0.9])
def test_a_full_disk_ends_the_run_with_exit_5(part, tmp_path) -> None:
    """Wherever the disk fills up, the run ends with one sentence and is not shown as running; space heals it."""
    lab = make_lab(tmp_path)
    lab.run("whole")
    needed = sum(path.stat().st_size for path in lab.artifacts.rglob("*"))
    with small_disk(lab.artifacts, f"{int(needed * part) >> 10}k"):
        done = lab.tc("run", str(lab.spec), "--run-id", "full")
        assert done.returncode == 5, done.stdout + done.stderr
        assert "No space left on device" in done.stderr
        assert "Traceback" not in done.stderr
        shown = lab.listed()
        assert shown.get("full", {}).get("status") != "running"
        assert not list(lab.artifacts.rglob(".tc-tmp-*"))
        if "full" in shown and lab.file("full", "metadata.json").exists():
            remount(lab.artifacts, "size=64m")
            recovered = lab.tc("runs", "recover", "full")
            assert recovered.returncode == 0, recovered.stderr
            assert lab.listed()["full"]["sealed"]


@needs("tmpfs")
def test_a_read_only_folder_is_named(tmp_path) -> None:
    """A read-only artifacts root exits 5 and the message names the path."""
    lab = make_lab(tmp_path)
    with small_disk(lab.artifacts, "4000k"):
        remount(lab.artifacts, "ro")
        done = lab.tc("run", str(lab.spec), "--run-id", "readonly")
    assert done.returncode == 5
    assert str(lab.artifacts) in done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_where_the_root_should_be_is_named(tmp_path) -> None:
    """An artifacts root that is a file is refused with its path."""
    lab: Lab = make_lab(tmp_path)
    lab.artifacts.write_text("not a folder")
    done = lab.tc("run", str(lab.spec))
    assert done.returncode in (2, 5)
    assert str(lab.artifacts) in done.stderr
    assert "Traceback" not in done.stderr
