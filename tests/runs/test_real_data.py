"""The shipped specs on real market data, from import to proof, as a new user runs them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from support.market import BTC_MINUTES, EURUSD_HOURS, PROJECT, shared_data_folder
from support.run_lab import Lab, environment
from support.sample import IS_FULL

BTC = ("btc-ema-cross", "btc-perp-1m-2022-01", BTC_MINUTES, ["--volume", "quote", "--stamp", "close"])
EURUSD = (
    "eurusd-ema-cross",
    "eurusd-1h-2020-2025",
    EURUSD_HOURS,
    ["--volume", "absent", "--stamp", "open", "--time-unit", "s"],
)
ROWS = {"btc-ema-cross": 45_031, "eurusd-ema-cross": 32_246}


@pytest.fixture(scope="module")
def lab(tmp_path_factory) -> Lab:
    """Return a lab with both real datasets imported and the shipped specs beside them."""
    lab = Lab(tmp_path_factory.mktemp("real"))
    shutil.copytree(PROJECT / "runspecs", lab.root / "specs")
    for _, name, file, options in (BTC, EURUSD):
        arguments = ["data", "import", str(shared_data_folder() / file), "--name", name, *options]
        done = lab.tc(*arguments)
        assert done.returncode == 0, done.stderr
    return lab


@pytest.mark.shared_data
@pytest.mark.timeout(300)
@pytest.mark.parametrize("case", [BTC, EURUSD], ids=["btc", "eurusd"])
def test_a_real_run_is_sealed_and_proven(case, lab) -> None:
    """At least 2,000 orders on real bars: reconciled, sealed, repeated bit for bit; an absent volume is told."""
    name = case[0]
    done = lab.tc("run", str(lab.root / "specs" / f"{name}.yaml"), "--run-id", name, "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["reconciliation"] == "matched"
    assert result["metrics"]["bars"] == ROWS[name]
    assert result["metrics"]["orders"]["total"] >= 2000
    assert result["metrics"]["statistics"]["equity"]["sharpe"] is not None
    verified = lab.tc("verify", name)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    report = Path(result["directory"], "report.html")
    assert 1_000_000 < report.stat().st_size < 10_000_000
    is_said = "no volume" in Path(result["directory"], "report.md").read_text().lower()
    assert is_said == ("absent" in case[3])
    if name != EURUSD[0] and not IS_FULL:  # one of the two is enough
        return
    elsewhere = lab.root / "elsewhere"
    elsewhere.mkdir(exist_ok=True)
    again = Lab(lab.root).tc(
        "run", str(lab.root / "specs" / f"{name}.yaml"), "--json", cwd=elsewhere, env=environment(PYTHONHASHSEED="77")
    )
    assert json.loads(again.stdout)["result_digest"] == result["result_digest"]
