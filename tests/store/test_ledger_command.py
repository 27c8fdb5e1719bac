"""`tc ledger`: what it prints, how it ends, and that what it refuses leaves no trace."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from support.ledger_lab import directory_of


def tc(runtime: Path, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `tc ledger COMMAND` on account A."""
    options = ["--account", "A", "--runtime-root", str(runtime)]
    line = [sys.executable, "-P", "-m", "tc", "ledger", command, *options, *arguments]
    return subprocess.run(line, capture_output=True, text=True, check=False)


def done(runtime: Path, command: str, *arguments: str) -> str:
    """Run a command that must succeed and return what it printed."""
    answer = tc(runtime, command, *arguments)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


@pytest.fixture
def runtime(tmp_path: Path) -> Path:
    """An account with one open position."""
    done(tmp_path, "create", "--capital", "1000")
    done(tmp_path, "open", "BTC.X", "buy", "2", "100", "--stop", "95", "--setup", "breakout", "--command-id", "first")
    return tmp_path


def test_position_from_open_to_close(runtime: Path) -> None:
    """Open, reduce and close tell the profit after fees and its multiple of the risk, and renew the derived files."""
    done(runtime, "reduce", "BTC.X", "1", "110", "--fee", "0.5")
    assert json.loads(done(runtime, "show", "--json"))["positions"][0]["quantity"] == "1"
    closed = json.loads(done(runtime, "close", "BTC.X", "105", "--json"))["closed"][0]
    assert (closed["profit"], closed["r_multiple"]) == ("14.5", "1.45")
    equity = json.loads(directory_of(runtime).derived("equity.json").read_bytes())
    assert equity["realized"] == "1014.5"
    assert "5 entries, chain and fold intact" in done(runtime, "verify")
    assert "A: 1014.5 USDT" in done(runtime, "show")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("open", "BTC.X", "long", "1", "100"), 2, "side must be BUY or SELL"),
        (("open", "BTC.X", "BUY", "1", "100", "--stop", "nan"), 2, "stop must be a finite number"),
        (("reduce", "BTC.X", "--", "-1", "100"), 2, "quantity must be above zero"),
        (("reduce", "BTC.X", "3", "100"), 2, "REDUCE_BEYOND_SIZE"),
        (("close", "ETH.X", "100"), 2, "NO_POSITION"),
        (("release", "--loss-streak", "BTC.X"), 2, "the person who releases"),
        (("release",), 2, "exactly one of"),
        (("open", "ETH.X", "BUY", "1", "100", "--open-positions-max", "1"), 3, "OPEN_POSITIONS"),
        (("open", "BTC.X", "BUY", "9", "100", "--command-id", "first"), 2, "COMMAND_REUSED"),
        (("create",), 4, "has a ledger already"),
        (("rebuild", "--from", "/nowhere"), 2, "is not damaged"),
    ],
)
def test_refused_command_ends_with_its_code_and_writes_nothing(
    runtime: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    """Bad input ends with 2, a limit with 3, each with the reason on stderr and the ledger as it was."""
    before = directory_of(runtime).journal.read_bytes()
    answer = tc(runtime, *arguments)
    assert answer.returncode == code, answer.stderr
    assert words in answer.stderr
    assert "Traceback" not in answer.stderr
    assert directory_of(runtime).journal.read_bytes() == before


def test_repeated_command_id_happens_once(runtime: Path) -> None:
    """A command given again under its id prints the first outcome and holds no second position."""
    first = json.loads(done(runtime, "open", "SOL.X", "sell", "1", "20", "--command-id", "again", "--json"))
    assert json.loads(done(runtime, "open", "SOL.X", "sell", "1", "20", "--command-id", "again", "--json")) == first
    assert len(json.loads(done(runtime, "show", "--json"))["positions"]) == 2


def test_unknown_account_is_refused(tmp_path: Path) -> None:
    """An account without a ledger is bad input, and no ledger is made for it."""
    for arguments in (("show",), ("verify",), ("rebuild",), ("export",), ("open", "BTC.X", "BUY", "1", "1")):
        answer = tc(tmp_path, *arguments)
        assert answer.returncode == 2
        assert "tc ledger create --account A" in answer.stderr
    assert not (tmp_path / "ledger").exists()


def test_cut_ledger_is_refused_and_comes_back_from_its_export(runtime: Path) -> None:
    """A ledger cut by one entry ends every command with 5, `verify` with 1, and `rebuild --from` an export heals it."""
    directory = directory_of(runtime)
    copy = runtime / "copy.jsonl"
    copy.write_text(done(runtime, "export"))
    content = directory.journal.read_bytes()
    assert copy.read_bytes() == content
    directory.journal.write_bytes(b"".join(content.splitlines(keepends=True)[:-1]))
    for arguments in (("show",), ("rebuild",), ("close", "BTC.X", "100"), ("export",)):
        answer = tc(runtime, *arguments)
        assert answer.returncode == 5
        assert "1 entry is missing" in answer.stderr
        assert "tc ledger rebuild --account A --from COPY" in answer.stderr
    assert tc(runtime, "verify").returncode == 1
    assert "restored 3 entries, 0 are missing" in done(runtime, "rebuild", "--from", str(copy))
    assert directory.journal.read_bytes() == content


def test_reservation_and_latch_are_released(runtime: Path) -> None:
    """A latch is released in a person's name, and an unknown reservation is said to be unknown."""
    done(runtime, "release", "--latch", "total_drawdown", "--by", "Ada", "--reason", "reviewed")
    answer = tc(runtime, "release", "--reservation", "nothing")
    assert answer.returncode == 2
    assert "NO_RESERVATION" in answer.stderr


def test_capital_moves(runtime: Path) -> None:
    """Deposits and withdrawals move the cash, and no more goes out than is there."""
    done(runtime, "deposit", "50")
    done(runtime, "withdraw", "1050")
    assert "A: 0 USDT" in done(runtime, "show")
    assert tc(runtime, "withdraw", "1").returncode == 2


def test_ledger_commands_load_neither_engine_nor_pydantic(runtime: Path) -> None:
    """Showing a ledger imports no engine, pandas, pydantic or rich."""
    code = (
        "import sys\nfrom tc.cli.main import main\n"
        f"sys.argv = ['tc', 'ledger', 'show', '--account', 'A', '--runtime-root', {str(runtime)!r}]\n"
        "try: main()\nexcept SystemExit: pass\n"
        "heavy = {'nautilus_trader', 'pandas', 'pyarrow', 'numpy', 'pydantic', 'rich', 'yaml'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    answer = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
