"""`tc stress` finds the operator's own highest rate, doubles it, and says what the system did with it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tc.evidence.load import Load
from tc.runs.stress import Step, _judge, stress_page


def tc(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command under roots of its own."""
    environment = os.environ | {
        "TC_ARTIFACTS_ROOT": str(folder / "artifacts"),
        "TC_RUNTIME_ROOT": str(folder / "runtime"),
        "XDG_STATE_HOME": str(folder / "state"),
    }
    command = [sys.executable, "-P", "-m", "tc", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_without_a_paper_run_there_is_nothing_to_double(tmp_path) -> None:
    """No journal of the operator's own: one sentence, exit 2."""
    done = tc(tmp_path, "stress")
    assert (done.returncode, "give --orders-per-s" in done.stderr) == (2, True)


@pytest.mark.whole_run
def test_a_rate_is_sent_to_a_venue_over_sockets_and_measured_from_the_journal(tmp_path) -> None:
    """Each step is a paper run; the report has rates and times of the orders that the venue accepted."""
    done = tc(tmp_path, "stress", "--orders-per-s", "4", "--seconds", "6", "--steps", "1", "--json")
    assert done.returncode in (0, 1), done.stderr
    found = json.loads(done.stdout)
    first = found["steps"][0]
    assert first["asked_per_s"] == 4
    assert first["accepted_per_s"] > 1
    assert 0 < first["accepted_p50_ms"] <= first["accepted_p99_ms"]
    assert all(Path(path).is_file() for path in found["files"])
    assert not any("secret" in path.read_text().lower() for path in map(Path, found["files"]))


def rates(count: int, every_ns: int, took_ns: int = 1_000_000) -> Load:
    """Return the load of orders that were accepted evenly."""
    return Load(accepted_ns=[took_ns] * count, accepted_ts=[n * every_ns for n in range(count)])


@pytest.mark.parametrize(
    ("load", "why"),
    [
        (rates(101, 10_000_000), ""),
        (rates(90, 12_000_000), "it accepted 83 a second"),
        (rates(101, 10_000_000, 2_000_000_000), "one in a hundred took 2,000 ms"),
        (Load(), "it accepted 0 a second"),
    ],
)
def test_keeping_up_means_the_rate_and_the_time(load, why) -> None:
    """Five in a hundred may be missing, one in a hundred may be slow: more, and the step says why it was not kept."""
    assert _judge(100.0, load, "").why_not == why


def test_the_page_says_where_it_saturates() -> None:
    """The first rate that was not kept is named, with its reason."""
    steps = [Step(4, 4, 1, 2, 0, ""), Step(8, 5, 1, 2, 0, "it accepted 5 a second")]
    highest = {"orders_per_s": 2, "orders_run": "a", "messages_per_s": 4, "messages_run": "a", "runs": 1}
    page = stress_page({
        "ended": "2026-01-01T00:00:00Z", "highest": highest, "wanted_orders_per_s": 4.0, "is_kept": True,
        "saturates_at_orders_per_s": 8.0, "steps": [vars(one) for one in steps],
    })  # fmt: skip
    assert "it saturates at 8." in page
    assert "| 8 | 5 | 1 | 2 | it accepted 5 a second |" in page
