"""`tc verify` names what changed: a file, an input, or the first entry of another result."""

from __future__ import annotations

import json
import random
import shutil

import pytest

from support.engine_lab import SPEC, lab_bars
from support.run_lab import Lab, make_lab
from support.sample import scaled
from tc.data.bar_table import BarTable
from tc.data.dataset_info import Source
from tc.data.dataset_store import DatasetStore
from tc.durable import protect_tree, unprotect_tree

FLIPS = scaled(60, 1000)
MINE = """
from helper import quantity
from tc.engine.strategies.ema_cross import EMACross, EMACrossConfig


class Mine(EMACross):
    def __init__(self, config: EMACrossConfig) -> None:
        super().__init__(config)
        self.unit = quantity()
"""


@pytest.fixture(scope="module")
def sealed(tmp_path_factory) -> Lab:
    """Return a lab with one sealed run of a strategy file that imports a module."""
    root = tmp_path_factory.mktemp("verify")
    spec = SPEC.replace("tc.engine.strategies.ema_cross:EMACross", "mine.py:Mine")
    lab = make_lab(root, bars=600, spec=spec)
    (root / "mine.py").write_text(MINE)
    (root / "helper.py").write_text("def quantity():\n    return 1\n")
    lab.run("proof")
    return lab


@pytest.fixture
def lab(sealed, tmp_path) -> Lab:
    """Return a copy of the lab that a test may damage."""
    shutil.copytree(sealed.root, tmp_path / "copy")
    return Lab(tmp_path / "copy")


def test_an_untouched_run_is_verified_bit_for_bit(sealed) -> None:
    """The same spec, data, code and wheels give the same result in a fresh process."""
    done = sealed.tc("verify", "proof")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "bit for bit equal in a fresh process: sha256:" in done.stdout


def base(lab: Lab) -> list[str]:
    """Return the option that says where a copied lab's sources are."""
    return ["--base", str(lab.root)]


def test_one_changed_bar_is_named(lab) -> None:
    """Data that changed by one value is the named reason."""
    table = lab_bars(600)
    close = table.close.copy()
    close[300] = table.open[300]
    changed = BarTable.of(table.ts_event, table.open, table.high, table.low, close, table.volume)
    source = Source("generated", None, None, {})
    DatasetStore(lab.runtime).save(
        "lab", changed, price_precision=1, volume="base", synthetic=True, source=source, replace=True
    )
    done = lab.tc("verify", "proof", *base(lab))
    assert done.returncode == 1
    assert "data: dataset 'lab' changed: fingerprint was sha256:" in done.stdout


@pytest.mark.parametrize("name", ["mine.py", "helper.py"])
def test_one_changed_line_is_named(name, lab) -> None:
    """A changed strategy line is named by file, also in a module it imports."""
    path = lab.root / name
    path.write_text(path.read_text() + "\nCHANGED = 1\n")
    done = lab.tc("verify", "proof", *base(lab))
    assert done.returncode == 1
    assert f"code: strategy 'lab': {name} changed" in done.stdout


def test_one_changed_config_value_is_named(lab) -> None:
    """A spec file that says something else is named field by field."""
    lab.spec.write_text(lab.spec.read_text().replace('trade_size: "0.100"', 'trade_size: "0.200"'))
    done = lab.tc("verify", "proof", "--spec", str(lab.spec), *base(lab))
    assert done.returncode == 1
    assert "spec: strategies[0].config.trade_size: was 0.100, is 0.200" in done.stdout


def test_a_missing_dataset_is_named(lab) -> None:
    """Data that is gone is named, with what to do."""
    shutil.rmtree(lab.runtime / "datasets/lab")
    done = lab.tc("verify", "proof", *base(lab))
    assert done.returncode == 1
    assert "dataset 'lab' is gone" in done.stdout


def test_a_result_that_cannot_be_repeated_shows_both_sides(tmp_path) -> None:
    """A strategy that depends on the outside is caught: the first differing entry is shown with both sides."""
    spec = SPEC.replace("tc.engine.strategies.ema_cross:EMACross", "moody.py:Moody")
    lab = make_lab(tmp_path, bars=600, spec=spec)
    (tmp_path / "moody.py").write_text(
        MINE.replace("from helper import quantity\n", "import os\n")
        .replace("Mine", "Moody")
        .replace("self.unit = quantity()", "self.fast.reset(); self.skip = os.getpid() % 97 + 5\n\n"
                 "    def on_bar(self, bar):\n        self.skip -= 1\n"
                 "        if self.skip < 0:\n            super().on_bar(bar)")
    )  # fmt: skip
    lab.run("moody")
    done = lab.tc("verify", "moody")
    if done.returncode == 0:  # the two process ids happened to agree
        done = lab.tc("verify", "moody")
    assert done.returncode == 1
    assert "same inputs, another result" in done.stdout
    assert "sealed:   seq" in done.stdout
    assert "repeated: seq" in done.stdout


def test_flipped_bytes_are_named_for_every_file(lab) -> None:
    """One flipped byte in any file of a sealed run, the manifest included, is named; for the journal with its seq."""
    from tc.evidence.manifest import check_manifest, list_files
    from tc.store.roots import Roots
    from tc.store.run_store import RunStore

    run = RunStore(Roots.of(lab.artifacts, lab.runtime)).find("proof")
    unprotect_tree(run.path)
    random_ = random.Random(3)
    names = [name for name in list_files(run.path) if run.file(name).stat().st_size]
    for number in range(FLIPS):
        name = names[number % len(names)]
        original = run.file(name).read_bytes()
        place = random_.randrange(len(original))
        changed = bytearray(original)
        changed[place] ^= random_.randrange(1, 256)
        run.file(name).write_bytes(changed)
        findings = check_manifest(run)
        assert [finding.file for finding in findings] == [name]
        if name == "journal.jsonl":
            assert "seq " in findings[0].problem
        run.file(name).write_bytes(original)
    assert check_manifest(run) == []
    protect_tree(run.path)


def test_the_command_names_missing_and_added_files(lab) -> None:
    """`tc verify` prints the file and what happened to it, and exits 1."""
    unprotect_tree(lab.file("proof", "."))
    lab.file("proof", "report.md").unlink()
    lab.file("proof", "note.txt").write_text("hello")
    done = lab.tc("verify", "proof", "--json", *base(lab))
    assert done.returncode == 1
    assert {tuple(one) for one in json.loads(done.stdout)["findings"]} == {
        ("report.md", "is missing"),
        ("note.txt", "was added after the seal"),
    }


def test_comparing_a_run_with_its_repetition_finds_no_difference(lab) -> None:
    """`tc runs compare` exits 0 for equal results and 1 with the first differing entry otherwise."""
    lab.run("again")
    assert lab.tc("runs", "compare", "proof", "again").returncode == 0
    lab.spec.write_text(lab.spec.read_text().replace('trade_size: "0.100"', 'trade_size: "0.200"'))
    lab.run("other")
    done = lab.tc("runs", "compare", "proof", "other")
    assert done.returncode == 1
    assert "strategies[0].config.trade_size: 0.100 -> 0.200" in done.stdout
    assert "they part at" in done.stdout


def test_two_verifications_at_once_do_not_disturb_each_other(sealed) -> None:
    """Both repeat the run and find it equal."""
    both = [sealed.start("verify", "proof") for _ in range(2)]
    outcomes = [(one.communicate()[0], one.returncode) for one in both]
    assert [code for _, code in outcomes] == [0, 0], outcomes


def test_links_pipes_and_folders_are_named(lab) -> None:
    """What no run writes is a finding: a link to a true copy, a pipe, an empty folder."""
    import os

    from tc.evidence.manifest import check_manifest
    from tc.store.roots import Roots
    from tc.store.run_store import RunStore

    run = RunStore(Roots.of(lab.artifacts, lab.runtime)).find("proof")
    unprotect_tree(run.path)
    shutil.move(run.file("report.md"), lab.root / "copy.md")
    run.file("report.md").symlink_to(lab.root / "copy.md")
    run.file("empty").mkdir()
    run.file("metrics.json").unlink()
    os.mkfifo(run.file("metrics.json"))
    assert {finding.file for finding in check_manifest(run)} == {"report.md", "empty", "metrics.json"}
