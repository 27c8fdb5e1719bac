"""A sealed run names every byte that changed."""

from __future__ import annotations

import json
import random
import re

import pytest

from support.sealed_run import make_sealed_run
from tc.durable import unprotect_tree
from tc.evidence.manifest import check_manifest, list_files
from tc.store.run_directory import JOURNAL, MANIFEST

FLIPS = 300


@pytest.fixture
def run(tmp_path):
    """Return a sealed run whose files may be changed."""
    run = make_sealed_run(tmp_path)
    unprotect_tree(run.path)
    return run


def test_an_untouched_run_has_no_findings(run) -> None:
    """What was sealed is found intact."""
    assert check_manifest(run) == []


def test_every_file_is_in_the_manifest(run) -> None:
    """No file of the directory but the manifest itself is left out."""
    listed = set(json.loads(run.file(MANIFEST).read_bytes())["files"])
    assert listed == set(list_files(run.path)) - {MANIFEST}


def test_one_flipped_bit_anywhere_is_named(run) -> None:
    """A flipped bit in any file is reported for that file, and for the journal with its seq."""
    random_ = random.Random(5)
    names = list_files(run.path)
    for number in range(FLIPS):
        name = names[number % len(names)]
        original = run.file(name).read_bytes()
        place = random_.randrange(len(original))
        changed = bytearray(original)
        changed[place] ^= 1 << random_.randrange(8)
        run.file(name).write_bytes(changed)
        findings = check_manifest(run)
        assert [finding.file for finding in findings] == [name], (name, place)
        if name == JOURNAL:
            seq = original[:place].count(b"\n") + 1
            assert f"seq {seq}" in findings[0].problem, (place, findings)
        run.file(name).write_bytes(original)
    assert check_manifest(run) == []


def test_missing_and_added_files_are_named(run) -> None:
    """A file that is gone and a file that is new are both reported."""
    run.file("report.md").unlink()
    run.file("extra.txt").write_bytes(b"")
    assert {(one.file, one.problem) for one in check_manifest(run)} == {
        ("report.md", "is missing"),
        ("extra.txt", "was added after the seal"),
    }


def test_a_consistent_forgery_is_caught_by_the_anchor(run) -> None:
    """Whoever rewrites a file and the manifest to match still differs from the anchor outside the directory."""
    from tc.durable import Head
    from tc.evidence.manifest import build_manifest

    run.file("report.md").write_bytes(b"# better\n")
    sealed = json.loads(run.file(MANIFEST).read_bytes())
    head = Head(sealed["journal"]["entries"], sealed["journal"]["head"])
    run.file(MANIFEST).write_bytes(build_manifest(run, head, sealed["result_digest"]))
    assert [finding.file for finding in check_manifest(run)] == [MANIFEST]


def test_a_journal_cut_at_an_entry_is_named(run) -> None:
    """A journal whose chain is intact but shorter is still not what was sealed."""
    lines = run.file(JOURNAL).read_bytes().splitlines(keepends=True)
    run.file(JOURNAL).write_bytes(b"".join(lines[:-1]))
    (finding,) = check_manifest(run)
    assert finding.file == JOURNAL
    assert re.search(r"seq 29: sealed with 30 entries", finding.problem)


def test_a_lost_anchor_is_said(run) -> None:
    """Without its anchor a run is not called proven."""
    run.anchor_path.unlink()
    assert "anchor" in check_manifest(run)[0].problem
