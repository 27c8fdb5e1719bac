"""`tc run` as operators use it: what it leaves, what it refuses, how it ends."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from support.engine_lab import SPEC
from support.run_lab import Lab, environment, make_lab
from tc.durable import verify_journal

FILES = {
    "run_spec.yaml", "metadata.json", "journal.jsonl", "metrics.json", "report.md", "report.html",
    "reconciliation_result.json", "nautilus.jsonl", "manifest.json", "state",
}  # fmt: skip
RAISING = """
from nautilus_trader.config import StrategyConfig
from nautilus_trader.model.data import BarType
from nautilus_trader.trading.strategy import Strategy


class RaisingConfig(StrategyConfig, frozen=True):
    bar_type: BarType


class Raising(Strategy):
    def __init__(self, config: RaisingConfig) -> None:
        super().__init__(config)
        self.bars = 0

    def on_start(self):
        self.subscribe_bars(self.config.bar_type)

    def on_bar(self, bar):
        self.bars += 1
        if self.bars == 700:
            raise ValueError("seven hundred")
"""
SLOW = RAISING.replace(
    '        if self.bars == 700:\n            raise ValueError("seven hundred")',
    "        import time; time.sleep(0.002)",
)


def own_strategy(source: str) -> str:
    """Return the lab's spec with the strategy of a file."""
    start, end = SPEC.index("    source:"), SPEC.index("risk:")
    config = "    config: {bar_type: BTCUSDT-PERP.BINANCE-1-MINUTE-LAST-EXTERNAL}\n"
    return SPEC[:start] + f"    source: {source}\n" + config + SPEC[end:]


@pytest.fixture(scope="module")
def lab(tmp_path_factory) -> Lab:
    """Return a lab whose dataset and spec every test of this module shares."""
    return make_lab(tmp_path_factory.mktemp("lab"))


def test_a_run_leaves_exactly_its_files(lab) -> None:
    """A completed run has every file of the contract and no other; all are read-only and its scratch is gone."""
    result = lab.run("complete")
    directory = Path(result["directory"])
    assert {path.name for path in directory.iterdir()} == FILES
    modes = {(path.is_dir(), oct(path.stat().st_mode & 0o777)) for path in directory.rglob("*")}
    assert modes <= {(False, "0o444"), (True, "0o555")}
    assert not (lab.runtime / "nodes/complete").exists()
    assert result["status"] == "completed"
    assert result["reconciliation"] == "matched"
    assert lab.file("complete", "run_spec.yaml").read_bytes() == lab.spec.read_bytes()
    metadata = json.loads(lab.file("complete", "metadata.json").read_bytes())
    assert metadata["bars"] == metadata["bars_total"] == 2000
    assert metadata["data"][0]["fingerprint"].startswith("sha256:")
    json.loads(lab.file("complete", "metrics.json").read_bytes(), parse_constant=pytest.fail)


def test_run_ids_are_made_from_time_name_and_spec(lab) -> None:
    """Without --run-id the id is `<UTC>-<name>-<8 hex of the spec digest>`."""
    done = lab.tc("run", str(lab.spec), "--json")
    run_id = json.loads(done.stdout)["run_id"]
    digest = json.loads(lab.file(run_id, "metadata.json").read_bytes())["spec"]["digest"]
    assert run_id.endswith(f"-lab-{digest.removeprefix('sha256:')[:8]}")


def test_the_summary_says_where_to_look(lab) -> None:
    """People get status, numbers, report path and the verify command."""
    done = lab.tc("run", str(lab.spec), "--run-id", "for-people")
    assert done.returncode == 0, done.stderr
    assert "completed  for-people" in done.stdout
    assert str(lab.file("for-people", "report.html")) in done.stdout
    assert "tc verify for-people" in done.stdout


def test_the_same_id_twice_is_refused_and_harms_nothing(lab) -> None:
    """A taken --run-id exits 4 and the sealed run stays intact."""
    lab.run("twice")
    before = lab.file("twice", "manifest.json").read_bytes()
    done = lab.tc("run", str(lab.spec), "--run-id", "twice")
    assert done.returncode == 4
    assert "exists already" in done.stderr
    assert lab.file("twice", "manifest.json").read_bytes() == before


def test_the_same_id_at_once_has_one_winner(lab) -> None:
    """Of starters with one id exactly one runs; the others exit 4."""
    starters = [lab.start("run", str(lab.spec), "--run-id", "race", "--json") for _ in range(3)]
    codes = sorted(starter.wait() for starter in starters)
    for starter in starters:
        starter.communicate()
    assert codes == [0, 4, 4]
    assert lab.listed()["race"]["sealed"]


@pytest.mark.parametrize("run_id", ["../escape", "a/b", "/tmp/x", "..", ".hidden", "x" * 200, "a\nb"])
def test_an_unsafe_id_is_refused(run_id, lab) -> None:
    """A run_id that is no plain name exits 2 and creates nothing."""
    done = lab.tc("run", str(lab.spec), "--run-id", run_id)
    assert done.returncode == 2
    assert "is not a plain name" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_strategy_that_raises_still_leaves_evidence(tmp_path) -> None:
    """A raise in the middle exits 6 with one sentence; journal, metrics and report are there and sealed."""
    lab = make_lab(tmp_path, spec=own_strategy("raising.py:Raising"))
    (tmp_path / "raising.py").write_text(RAISING)
    done = lab.tc("run", str(lab.spec), "--run-id", "raised")
    assert done.returncode == 6
    assert "strategy 'lab' raised in on_bar: ValueError: seven hundred (raising.py, line" in done.stdout
    assert "Traceback" not in done.stdout  # the engine's own error log shows the strategist their traceback on stderr
    assert "InvalidStateTrigger" not in done.stderr
    assert {path.name for path in lab.file("raised", ".").iterdir()} == FILES
    assert lab.listed()["raised"]["status"] == "failed"
    assert lab.tc("verify", "raised").returncode == 0


def test_ctrl_c_leaves_a_sealed_truthful_run(tmp_path) -> None:
    """SIGINT ends the run at the next bar: exit 130, sealed as interrupted, and the run can be verified."""
    lab = make_lab(tmp_path, spec=own_strategy("slow.py:Slow".replace("Slow", "Raising")))
    (tmp_path / "slow.py").write_text(SLOW)
    process = lab.start("run", str(lab.spec), "--run-id", "stopped", "--json")
    wait_until(
        lambda: (
            lab.file("stopped", "metadata.json").exists()
            and b'"running"' in lab.file("stopped", "metadata.json").read_bytes()
        )
    )
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=30)
    assert process.returncode == 130, errors
    result = json.loads(output)
    assert result["status"] == "interrupted"
    assert 0 < result["metrics"]["bars"] < 2000
    assert f"after bar {result['metrics']['bars']:,} of 2,000" in result["reason"]
    assert lab.tc("verify", "stopped").returncode == 0


def test_sigterm_is_a_stop_request(tmp_path) -> None:
    """SIGTERM ends the run cleanly with exit 0, as a stop on request does."""
    lab = make_lab(tmp_path, spec=own_strategy("slow.py:Raising"))
    (tmp_path / "slow.py").write_text(SLOW)
    process = lab.start("run", str(lab.spec), "--run-id", "termed", "--json")
    wait_until(
        lambda: (
            lab.file("termed", "metadata.json").exists()
            and b'"running"' in lab.file("termed", "metadata.json").read_bytes()
        )
    )
    process.terminate()
    output, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors
    assert json.loads(output)["status"] == "interrupted"


def wait_until(condition, timeout_s: float = 30) -> None:
    """Wait for a condition of another process."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_the_result_is_the_same_in_any_process(lab, tmp_path) -> None:
    """Five processes with other hash seeds, folders and roots give one result digest."""
    digests = set()
    for seed, folder in zip(("0", "1", "42", "4294967295", "random"), "abcde", strict=True):
        where = tmp_path / folder
        where.mkdir()
        done = Lab(lab.root).tc(
            "run",
            str(lab.spec),
            "--json",
            "--run-id",
            f"seed-{folder}",
            cwd=where,
            env=environment(PYTHONHASHSEED=seed),
        )
        assert done.returncode == 0, done.stderr
        digests.add(json.loads(done.stdout)["result_digest"])
    assert len(digests) == 1


REFUSALS = {
    "no such spec": (["run", "absent.yaml"], "absent.yaml"),
    "no such dataset": (["run", "other-data.yaml"], "dataset 'elsewhere' was not found"),
    "fingerprint": (["run", "fingerprint.yaml"], "but the spec wants sha256:000"),
    "bar type": (["run", "hours.yaml"], "has a bar every 60 s, but bar_type"),
    "precision": (["run", "coarse.yaml"], "give the increment at least that many decimals"),
    "empty range": (["run", "later.yaml"], "has no bar from 2030-01-01"),
    "no such run": (["runs", "show", "nothing"], "found no run 'nothing'"),
    "verify unsealed": (["verify", "nothing"], "found no run 'nothing'"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_bad_input_is_one_sentence_and_exit_2(name, tmp_path) -> None:
    """Bad input exits 2 with a sentence that names what was found, and makes no run directory."""
    lab = make_lab(tmp_path, bars=200)
    zeros = f"sha256:{'0' * 64}"
    (tmp_path / "other-data.yaml").write_text(SPEC.replace("dataset: lab", "dataset: elsewhere"))
    (tmp_path / "fingerprint.yaml").write_text(SPEC.replace("dataset: lab", f"dataset: lab\n  fingerprint: {zeros}"))
    (tmp_path / "hours.yaml").write_text(SPEC.replace("1-MINUTE", "1-HOUR"))
    (tmp_path / "coarse.yaml").write_text(SPEC.replace("price_increment: 0.1", "price_increment: 1"))
    (tmp_path / "later.yaml").write_text(SPEC.replace("dataset: lab", "dataset: lab\n  start: 2030-01-01"))
    arguments, expected = REFUSALS[name]
    done = lab.tc(*arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert expected in done.stderr
    assert "Traceback" not in done.stderr
    assert not (lab.artifacts / "runs").exists()


def test_a_damaged_dataset_is_refused(tmp_path) -> None:
    """A dataset whose bytes changed exits 5 and names it; no run is made."""
    lab = make_lab(tmp_path, bars=200)
    parquet = next((lab.runtime / "datasets/lab").glob("*.parquet"))
    data = bytearray(parquet.read_bytes())
    data[len(data) // 2] ^= 1
    parquet.write_bytes(data)
    done = lab.tc("run", str(lab.spec))
    assert done.returncode == 5
    assert "Traceback" not in done.stderr


def test_markdown_only_reports_are_honored(tmp_path) -> None:
    """`report: markdown` writes no HTML."""
    lab = make_lab(tmp_path, bars=300, spec=SPEC + "observability: {report: markdown, log_level: 'OFF'}\n")
    lab.run("lean")
    assert {path.name for path in lab.file("lean", ".").iterdir()} == FILES - {"report.html"}


def test_every_command_works_under_other_roots(lab, tmp_path) -> None:
    """Roots from the environment are honored like options, for every command alike."""
    import subprocess
    import sys

    variables = environment(TC_ARTIFACTS_ROOT=str(tmp_path / "a"), TC_RUNTIME_ROOT=str(lab.runtime))
    commands = [
        ["run", str(lab.spec), "--run-id", "env"],
        ["runs", "show", "env"],
        ["verify", "env", "--files-only"],
        ["journal", "verify", "latest"],
        ["runs", "report", "env"],
        ["runs", "gc", "env", "--yes", "--lose-evidence"],
    ]
    for arguments in commands:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "tc", *arguments],
            env=variables,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (arguments, done.stderr)
    assert list((tmp_path / "a/runs").iterdir()) == []
    shutil.rmtree(tmp_path / "a")


def test_the_journal_is_valid_and_complete(lab) -> None:
    """A sealed journal has an intact chain that starts with RunStarted and ends with RunEnded."""
    lab.run("journal")
    path = lab.file("journal", "journal.jsonl")
    check = verify_journal(path)
    assert check.problem is None
    assert check.torn_bytes == 0
    types = [json.loads(line)["type"] for line in path.read_bytes().splitlines()]
    assert types[0] == "RunStarted"
    assert types[-1] == "RunEnded"
    assert types.count("EngineStateRecorded") == 1


EXITING = RAISING.replace('raise ValueError("seven hundred")', "{what}")


@pytest.mark.parametrize("what", ["sys.exit(0)", "sys.exit(3)", "raise KeyboardInterrupt", "raise SystemExit"])
def test_a_strategy_that_exits_is_a_fault_not_a_success(what, tmp_path) -> None:
    """A strategy that leaves the process in the middle ends in a sealed failed run and exit 6."""
    lab = make_lab(tmp_path, bars=900, spec=own_strategy("exiting.py:Raising"))
    (tmp_path / "exiting.py").write_text("import sys\n" + EXITING.format(what=what))
    done = lab.tc("run", str(lab.spec), "--run-id", "exited")
    assert done.returncode == 6, done.stdout + done.stderr
    assert "raised in on_bar" in done.stdout
    assert lab.listed()["exited"] | {"status": "failed", "sealed": True} == lab.listed()["exited"]


def test_a_strategy_file_that_exits_while_imported_is_refused(tmp_path) -> None:
    """`sys.exit()` at import is bad input, not a run that went well."""
    lab = make_lab(tmp_path, bars=200, spec=own_strategy("leaving.py:Raising"))
    (tmp_path / "leaving.py").write_text("import sys\nsys.exit(0)\n")
    done = lab.tc("run", str(lab.spec))
    assert done.returncode == 2
    assert "does not import: SystemExit" in done.stderr


def test_what_a_strategy_prints_is_kept_out_of_the_facts(tmp_path) -> None:
    """`--json` prints one JSON document on stdout whatever the strategy prints."""
    lab = make_lab(tmp_path, bars=900, spec=own_strategy("printing.py:Raising"))
    (tmp_path / "printing.py").write_text(EXITING.format(what='print("hello")'))
    done = lab.tc("run", str(lab.spec), "--json")
    assert json.loads(done.stdout)["status"] == "completed"
    assert "hello" in done.stderr


def test_a_file_beside_the_spec_shadows_nothing_of_ours(tmp_path) -> None:
    """A `rich.py` or `statistics.py` in the spec's folder breaks neither the run nor the report."""
    lab = make_lab(tmp_path, bars=300)
    for name in ("rich", "statistics", "csv", "plotly"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('shadowed')\n")
    done = lab.tc("run", str(lab.spec))
    assert done.returncode == 0, done.stderr


def test_a_folder_is_no_spec_and_a_file_no_root(lab, tmp_path) -> None:
    """A folder given as a spec exits 2, and so does listing below an artifacts root that is a file, naming it."""
    assert lab.tc("run", str(tmp_path)).returncode == 2
    wrong = Lab(tmp_path)
    wrong.artifacts.write_text("")
    done = wrong.tc("runs", "list")
    assert done.returncode == 2
    assert str(wrong.artifacts) in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (os.mkfifo, "is no regular file"),
        (lambda path: path.symlink_to("/dev/zero"), "is no regular file"),
        (lambda path: path.write_bytes(b"#" * (1 << 21)), "expected a RunSpec of at most 1,048,576"),
    ],
    ids=["pipe", "device", "huge"],
)
def test_what_cannot_be_a_spec_is_refused_before_it_is_read(make, expected, lab, tmp_path) -> None:
    """A pipe would be waited for and a device never ends: both are one sentence and exit 2."""
    path = tmp_path / "odd.yaml"
    make(path)
    done = lab.tc("run", str(path), timeout=30)
    assert done.returncode == 2
    assert expected in done.stderr


def test_a_run_cannot_be_named_latest(lab) -> None:
    """The word means the newest run elsewhere: exit 2."""
    done = lab.tc("run", str(lab.spec), "--run-id", "latest")
    assert done.returncode == 2
    assert "choose another" in done.stderr
