"""Each control cut out of the source of a copy of the project: the drill that is named for it fails there.

The drills' own negative controls cut at run time; here nothing of the drill knows of it. `-s` prints the table.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from support.market import PROJECT


class Cut(NamedTuple):
    """A control, the drill that proves it, and what is put in the place of what in which file of the source."""

    control: str
    drill: str
    edits: tuple[tuple[str, str, str], ...]


JUDGE = '        """Return what state, ownership and limits say, in this order."""\n'
DENIAL = "    def _denial_of(self, order: Any, siblings: list[Any], name: str, position_id: Any) -> Denial | None:\n"
LATCHED = '    """Return whether a run was killed."""\n'
TOLD_AS_OFTEN = """    told = 0

    def generate_order_filled(self, **words: Any) -> None:
        PaperExecutionClient.told += 1
        words["trade_id"] = type(words["trade_id"])(f"{words['trade_id']}-{self.told}")
        super().generate_order_filled(**words)

"""
WAITS = "        if self._recorded_seq < wanted:\n            is_soon"
SUBMIT = '    def submit_order(self, command: Any) -> None:\n        """Send one order'
CUTS = (
    Cut("kill latch", "kill-latch-across-restart", (
        ("runs/kill_clear.py", "    for state in closed_latches(*latches):\n", "    for state in closed_latches():\n"),
        ("runs/kill_clear.py", LATCHED, f"{LATCHED}    return False\n"),
    )),
    Cut("fencing", "kill-hung-node", (
        ("runs/kill_work.py", "            end_process(holder.pid, holder.start_time, 0)\n", ""),
    )),
    Cut("gate check", "runaway-strategy", (("engine/gate_rules.py", JUDGE, f"{JUDGE}        return Judgment()\n"),)),
    Cut("gate check", "limit-breach", (("engine/gate_rules.py", JUDGE, f"{JUDGE}        return Judgment()\n"),)),
    Cut("watchdog", "strategy-stall", (
        ("runs/paper_watch.py", "for finding in self._watch.turn(now_ns, beats):", "for finding in ():"),
    )),
    Cut("reconciliation", "reconciliation-mismatch", (
        ("engine/live_look.py", "return seen, compare(seen, self._view(), self._fold)", "return seen, []"),
    )),
    Cut("sync before send", "disk-full", (
        ("engine/live_sink.py", WAITS, WAITS.replace("self._recorded_seq < wanted", "False")),
        ("engine/live_sink.py", "        self.sync_all_soon()\n        wanted", "        return\n        wanted"),
        ("engine/live_sink.py", "            self._on_fault(self.fault)\n", ""),
    )),
    Cut("sync before send", "journal-fsync-error", (
        ("engine/live_sink.py", WAITS, WAITS.replace("self._recorded_seq < wanted", "False")),
        ("engine/live_sink.py", "        self.sync_all_soon()\n        wanted", "        return\n        wanted"),
        ("engine/live_sink.py", "            self._on_fault(self.fault)\n", ""),
    )),
    Cut("dedupe", "duplicate-and-reordered-fills", (
        ("engine/live_client.py", SUBMIT, TOLD_AS_OFTEN + SUBMIT),
        ("engine/live_config.py", "exec_engine=LiveExecEngineConfig(\n",
         "exec_engine=LiveExecEngineConfig(\n            allow_overfills=True,\n"),
    )),
    Cut("reservation", "ledger-lock-holder-dead", (("engine/gate.py", DENIAL, f"{DENIAL}        return None\n"),)),
)  # fmt: skip


EACH = pytest.mark.parametrize("cut", CUTS, ids=lambda cut: f"{cut.control}-{cut.drill}".replace(" ", "_"))


def cut_out(cut: Cut, source: Path) -> None:
    """Cut a control out of a copy of the source."""
    shutil.copytree(PROJECT / "src" / "tc", source / "tc", ignore=shutil.ignore_patterns("__pycache__"))
    for name, old, new in cut.edits:
        path = source / "tc" / name
        text = path.read_text()
        assert text.count(old) == 1, f"{name} has no such place: {old}"
        path.write_text(text.replace(old, new))


@EACH
def test_what_is_cut_is_there(tmp_path: Path, cut: Cut) -> None:
    """Each place is in the source, once."""
    cut_out(cut, tmp_path)


@EACH
@pytest.mark.whole_run
@pytest.mark.timeout(300)
def test_a_drill_fails_where_its_control_is_cut_out_of_the_source(tmp_path: Path, cut: Cut) -> None:
    """The verdict is fail, and not that something could not be tried."""
    cut_out(cut, tmp_path / "src")
    roots = ["--artifacts-root", str(tmp_path / "artifacts"), "--runtime-root", str(tmp_path / "runtime")]
    words = [sys.executable, "-P", "-m", "tc", "drill", "run", cut.drill, "--no-negative", "--json", *roots]
    began = time.monotonic()
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "src")}
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 1, done.stdout + done.stderr
    (found,) = json.loads(done.stdout)
    why = "; ".join(found["reasons"])
    sys.stdout.write(
        f"| {cut.control} | `{cut.drill}` | {found['verdict']} | {why} | {time.monotonic() - began:.0f} |\n"
    )
    assert found["verdict"] == "fail", why
