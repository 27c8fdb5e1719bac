"""What may go and what is kept: gc removes what is named, an archive is as good as the runs in it."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from support.run_lab import Lab, make_lab
from support.sealed_run import make_sealed_run
from tc.clock import iso_utc, parse_utc_ns
from tc.durable import FileLock, unprotect_tree
from tc.errors import ArtifactCorrupt
from tc.evidence.archive import check_archive, read_members
from tc.evidence.manifest import check_manifest
from tc.runs.archive import archive_runs, unarchive_runs
from tc.runs.selection import DAY_NS, Selection, is_retained, select
from tc.store.roots import Roots
from tc.store.run_directory import RunDirectory
from tc.store.run_store import RunStore, RunSummary

NOW = parse_utc_ns("2026-06-01")


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """Return a lab with three sealed runs of today and one that was abandoned."""
    lab = Lab(tmp_path)
    for number, run_id in enumerate(("one", "two", "three")):
        make_sealed_run(tmp_path, run_id, uuid_base=100 * number)
    abandoned = roots_of(lab).runs / "abandoned"
    abandoned.mkdir()
    return lab


def roots_of(lab: Lab) -> Roots:
    """Return the lab's roots."""
    return Roots.of(lab.artifacts, lab.runtime)


def runs_of(lab: Lab) -> list[str]:
    """Return the runs that are there."""
    return sorted(path.name for path in (lab.artifacts / "runs").iterdir())


def summary(run_id: str, *, ended: str | None, is_sealed: bool = True, status: str = "completed", **labels: str):
    """Return a run as a listing has it."""
    return RunSummary(run_id, status, is_sealed, {"started": ended, "ended": ended, "labels": labels})


def test_gc_removes_nothing_that_is_not_named(lab: Lab) -> None:
    """Without an id or a filter nothing is named, and that is an error, not everything."""
    done = lab.tc("runs", "gc", "--yes")
    assert done.returncode == 2
    assert "no run was named" in done.stderr
    assert len(runs_of(lab)) == 4


def test_young_sealed_runs_go_only_with_a_second_yes(lab: Lab) -> None:
    """--yes alone refuses the whole call, exit 3, and says what would be lost; --lose-evidence removes it."""
    done = lab.tc("runs", "gc", "one", "abandoned", "--yes")
    assert done.returncode == 3
    assert "1 of 2 named runs are sealed evidence younger than the retention period of 5y (one)" in done.stderr
    assert "a journal of 30 entries, result sha256:0" in done.stdout
    assert len(runs_of(lab)) == 4

    assert lab.tc("runs", "gc", "one", "abandoned", "--yes", "--lose-evidence").returncode == 0
    assert runs_of(lab) == ["three", "two"]


def test_unsealed_runs_and_a_dry_run_need_no_second_yes(lab: Lab) -> None:
    """Nothing goes without --yes; an abandoned run is no sealed evidence."""
    done = lab.tc("runs", "gc", "one")
    assert done.returncode == 0
    assert "nothing was removed; --yes and --lose-evidence" in done.stdout
    assert lab.tc("runs", "gc", "--status", "interrupted", "--yes").returncode == 0
    assert runs_of(lab) == ["one", "three", "two"]


def test_the_period_is_the_operators(lab: Lab) -> None:
    """--retention and TC_RETENTION set the period; what is no period is refused."""
    assert lab.tc("runs", "gc", "one", "--retention", "five years").returncode == 2
    assert lab.tc("runs", "gc", "one", "--retention", "1d", "--yes").returncode == 3


def test_filters_name_runs_by_age_status_and_label(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All filters must hold; a run that does not say its age is never old; filters never name a living run."""
    runs = [
        summary("old", ended="2020-01-01", desk="research"),
        summary("failed", ended="2020-01-01", status="failed", desk="research"),
        summary("young", ended="2026-05-31", desk="research"),
        summary("other", ended="2020-01-01", desk="prod"),
        summary("timeless", ended=None, desk="research"),
        summary("alive", ended="2020-01-01", status="running", is_sealed=False, desk="research"),
    ]
    monkeypatch.setattr(RunStore, "run_ids", lambda _: [run.run_id for run in runs])
    monkeypatch.setattr(RunStore, "summaries", lambda _, names: (run for run in runs if run.run_id in names))

    def named(selection: Selection) -> set[str]:
        return {run.run_id for run in select(Roots.of(tmp_path, tmp_path), selection, NOW)}

    year = 366 * DAY_NS
    assert named(Selection(older_than_ns=year)) == {"old", "failed", "other"}
    assert named(Selection(status="failed")) == {"failed"}
    assert named(Selection(labels=(("desk", "research"),))) == {"old", "failed", "young", "timeless"}
    assert named(Selection(older_than_ns=year, status="completed", labels=(("desk", "research"),))) == {"old"}


@pytest.mark.parametrize(
    ("ended", "is_sealed", "is_kept"),
    [
        (iso_utc(NOW - 5 * 365 * DAY_NS), True, True),
        (iso_utc(NOW - 5 * 366 * DAY_NS), True, False),
        (iso_utc(NOW + DAY_NS), True, True),
        (None, True, True),
        (None, False, False),
    ],
)
def test_retention_ends_after_five_whole_years(ended: str | None, is_sealed: bool, is_kept: bool) -> None:
    """Five years with their leap days; a sealed run of unknown or future age is kept."""
    assert is_retained(summary("run", ended=ended, is_sealed=is_sealed), NOW, 5 * 366 * DAY_NS) is is_kept


def test_an_archive_is_verified_and_brings_back_the_same_bytes(lab: Lab) -> None:
    """Packed with --remove, verified as it is, brought back: every byte and mode as before."""
    before = {path: path.read_bytes() for path in lab.artifacts.rglob("*") if path.is_file()}
    out = str(lab.root / "cold.tar.gz")
    done = lab.tc("runs", "archive", "one", "two", "--out", out, "--remove", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["removed"] == ["one", "two"]
    assert runs_of(lab) == ["abandoned", "three"]

    assert lab.tc("verify", out).returncode == 0
    assert lab.tc("runs", "unarchive", out).returncode == 0
    assert lab.tc("runs", "unarchive", out).returncode == 0, "what is there already is left as it is"
    after = {path: path.read_bytes() for path in lab.artifacts.rglob("*") if path.is_file()}
    assert {path: data for path, data in after.items() if path.suffix != ".lock"} == {
        path: data for path, data in before.items() if path.suffix != ".lock"
    }
    assert not (lab.artifacts / "runs/one/journal.jsonl").stat().st_mode & 0o222


@pytest.mark.timeout(600)
def test_a_real_run_is_repeated_after_it_came_back(tmp_path: Path) -> None:
    """A backtest that was archived, removed and brought back is verified bit for bit by a fresh process."""
    lab = make_lab(tmp_path, bars=300)
    lab.run("real")
    done = lab.tc("runs", "archive", "real", "--remove")
    assert done.returncode == 0, done.stdout + done.stderr
    archive = lab.artifacts / "archives/real.tar.gz"
    assert lab.tc("verify", "real").returncode == 2
    assert lab.tc("runs", "unarchive", str(archive)).returncode == 0
    done = lab.tc("verify", "real")
    assert done.returncode == 0, done.stdout
    assert "bit for bit equal" in done.stdout


def test_the_same_runs_give_the_same_archive_that_plain_tools_read(lab: Lab, tmp_path: Path) -> None:
    """No time and no owner is in it; sha256sum and tar need nothing of ours."""
    first, second = lab.root / "a/first.tar.gz", lab.root / "b/second.tar.gz"
    for path in (first, second):
        assert lab.tc("runs", "archive", "two", "one", "--out", str(path)).returncode == 0
    assert first.read_bytes() == second.read_bytes()
    subprocess.run(["sha256sum", "-c", "first.tar.gz.sha256"], cwd=first.parent, check=True, capture_output=True)
    subprocess.run(["tar", "-xzf", str(first), "-C", str(tmp_path / "a")], check=True)
    plain = Roots.of(tmp_path / "a", tmp_path / "a/runtime")
    assert check_manifest(RunDirectory(plain, "one")) == []


def test_a_damaged_run_is_not_packed(lab: Lab) -> None:
    """What is not as it was sealed is named, exit 1; no archive appears and nothing is removed."""
    report = lab.file("one", "report.md")
    report.chmod(0o644)
    report.write_text("# nicer\n")
    done = lab.tc("runs", "archive", "one", "two", "--out", str(lab.root / "x.tar.gz"), "--remove")
    assert done.returncode == 1
    assert "one/report.md: changed" in done.stdout
    assert not (lab.root / "x.tar.gz").exists()
    assert len(runs_of(lab)) == 4
    assert lab.tc("runs", "archive", "abandoned").returncode == 2, "and no run that was never sealed"


def test_every_flipped_byte_of_an_archive_is_found(lab: Lab) -> None:
    """One flipped bit anywhere, or a cut at any length, fails the check; nothing is brought back from it."""
    roots, path = roots_of(lab), lab.root / "one.tar.gz"
    archive_runs(roots, ["one"], path, remove=True)
    whole = path.read_bytes()
    path.chmod(0o644)
    for place in range(0, len(whole), max(1, len(whole) // 120)):
        for damaged in (whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :], whole[:place]):
            path.write_bytes(damaged)
            try:
                assert check_archive(path, roots.anchors).findings, place
                assert unarchive_runs(roots, path).findings
            except ArtifactCorrupt:
                pass
            assert not RunDirectory(roots, "one").path.exists()


def rewrite(path: Path, change) -> None:
    """Write the archive anew with changed members, its digest file too: a forger's work."""
    members = {name: content.read() for name, content in read_members(path)}
    change(members)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    path.chmod(0o644)
    path.write_bytes(gzip.compress(buffer.getvalue()))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    path.with_name(f"{path.name}.sha256").write_text(f"{digest}  {path.name}\n")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda members: members.update({"runs/one/report.md": b"# forged\n"}), "runs/one/report.md: changed"),
        (lambda members: members.pop("runs/one/metrics.json"), "runs/one/metrics.json: is missing"),
        (lambda members: members.update({"runs/one/more.txt": b"x"}), "runs/one/more.txt: belongs to no run"),
        (lambda members: members.pop("anchors/one.json"), "anchors/one.json: is missing"),
        (lambda members: members.update({"runs/one/../../x": b"x"}), "is no plain file"),
        (lambda members: members.pop("archive.json"), "it is no archive of runs"),
    ],
)
def test_a_forged_member_is_named(lab: Lab, change, said: str) -> None:
    """Members changed, gone or added are named, even where the forger made the digest file anew."""
    path = lab.root / "one.tar.gz"
    archive_runs(roots_of(lab), ["one"], path)
    rewrite(path, change)
    done = lab.tc("verify", str(path))
    assert done.returncode in (1, 5)
    assert said in done.stdout + done.stderr


def test_a_wholly_forged_run_differs_from_the_anchor_that_stayed(lab: Lab, tmp_path: Path) -> None:
    """A run forged together with its manifest and anchor is caught by the anchor that was kept outside."""
    path, other = lab.root / "one.tar.gz", tmp_path / "other"
    archive_runs(roots_of(lab), ["one"], path, remove=True)
    make_sealed_run(other, "one", entries=3)
    forged = other / "one.tar.gz"
    archive_runs(Roots.of(other / "artifacts", other / "runtime"), ["one"], forged)
    assert lab.tc("verify", str(forged)).returncode == 1
    assert lab.tc("runs", "unarchive", str(forged)).returncode == 1
    assert "one" not in runs_of(lab)


def test_what_is_held_is_neither_packed_nor_removed(lab: Lab) -> None:
    """A run whose lock another process holds is busy, exit 4, and the archive does not appear."""
    run = RunDirectory(roots_of(lab), "one")
    with FileLock(run.lock_path, purpose="a test", timeout_s=0):
        done = lab.tc("runs", "archive", "one", "--out", str(lab.root / "x.tar.gz"))
        assert done.returncode == 4
        assert "cannot be archived meanwhile" in done.stderr
        assert lab.tc("runs", "gc", "one", "--yes", "--lose-evidence").returncode == 4
    assert not (lab.root / "x.tar.gz").exists()


def test_another_run_of_that_id_is_not_overwritten(lab: Lab) -> None:
    """Unpacking over another run, and packing under a taken name, are refused and change nothing."""
    path = lab.root / "one.tar.gz"
    archive_runs(roots_of(lab), ["one"], path)
    done = lab.tc("runs", "archive", "two", "--out", str(path))
    assert done.returncode == 4
    run = RunDirectory(roots_of(lab), "one")
    unprotect_tree(run.path)
    shutil.rmtree(run.path)
    run.path.mkdir()
    assert lab.tc("runs", "unarchive", str(path)).returncode == 4
    assert list(run.path.iterdir()) == []
