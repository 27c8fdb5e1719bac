"""The derived files: what they say, that they follow from the ledger alone, and that it is only read for them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from support.child import finish, start_child
from support.ledger_lab import DAY, T0, D, committed, directory_of, make_ledger
from tc.errors import LockTimeout, NotFound
from tc.risk.intent import Intent
from tc.store import derived_file
from tc.store.derived import high_watermark_of
from tc.store.derived_file import rebuild
from tc.store.ledger import PositionLedger
from tc.store.ledger_directory import DERIVED


@pytest.fixture
def runtime(tmp_path: Path) -> Path:
    """A ledger with closed, reduced and open positions, a reservation, a breach-free day and a latch."""
    with make_ledger(tmp_path) as ledger:
        committed(ledger.open("1", "BTC.X", "S", "BUY", "2", "100", stop="95", setup="breakout", ts=T0 + 1))
        committed(ledger.reduce("2", "BTC.X", "S", "1", "110", fee="0.5", ts=T0 + 2))
        committed(ledger.close("3", "BTC.X", "S", "80", ts=T0 + DAY))
        committed(ledger.open("4", "ETH.X", "S", "SELL", "4", "50", setup="fade", ts=T0 + DAY + 1))
        committed(ledger.open("5", "ETH.X", "T", "BUY", "1", "50", stop="45", grade="A", ts=T0 + DAY + 2))
        committed(ledger.reserve(Intent("6", "submit", "SOL.X", "S", "BUY", D(3), D(20), "LIMIT", ts=T0 + DAY + 3)))
        committed(ledger.close_latch("7", "daily_loss", "down", ts=T0 + DAY + 4))
    rebuild(directory_of(tmp_path))
    return tmp_path


def document(runtime: Path, name: str) -> dict[str, Any]:
    """Return one derived file."""
    parsed: dict[str, Any] = json.loads((directory_of(runtime).derived(name)).read_bytes())
    return parsed


def all_bytes(runtime: Path) -> dict[str, bytes]:
    """Return every derived file's content."""
    return {name: directory_of(runtime).derived(name).read_bytes() for name in DERIVED}


def test_portfolio_holds_rows_net_and_cash(runtime: Path) -> None:
    """portfolio.json lists the rows of each strategy, the account's net and its cash."""
    portfolio = document(runtime, "portfolio.json")
    assert portfolio["net"] == {"ETH.X": "-3"}
    assert [(row["strategy_id"], row["quantity"]) for row in portfolio["positions"]] == [("S", "-4"), ("T", "1")]
    assert portfolio["cash"] == {"capital": "1000", "profit": "-10", "fees": "0.5", "realized": "989.5"}
    assert portfolio["reservations"][0]["command_id"] == "6"


def test_equity_has_its_curve_and_drawdown(runtime: Path) -> None:
    """equity.json holds a point wherever realized equity or its peak changed."""
    equity = document(runtime, "equity.json")
    assert [point[1] for point in equity["curve"]] == ["0", "1000", "1009.5", "989.5"]
    assert equity["peak"] == "1009.5"
    assert equity["drawdown"] == equity["drawdown_max"] == equity["curve"][-1][3] == "0.01981179"


def test_risk_state_holds_what_halts_follow_from(runtime: Path) -> None:
    """risk_state.json holds losses of day and week, streaks and latches as of the last entry."""
    state = document(runtime, "risk_state.json")
    assert state["day_start"] == "1009.5"
    assert state["day_loss"] == state["drawdown"] == "0.01981179"
    assert state["week_start"] == "1000"
    assert state["consecutive_losses"] == {"BTC.X": 1}
    assert state["latches"] == {"daily_loss": T0 + DAY + 4}
    assert (state["open_positions"], state["reservations"]) == (2, 1)


def test_setup_performance_counts_round_trips(runtime: Path) -> None:
    """setup_performance.json holds the figures of closed positions by setup, partial exits and fees included."""
    setups = document(runtime, "setup_performance.json")["setups"]
    assert list(setups) == ["breakout"]
    figures = setups["breakout"]
    assert (figures["positions"], figures["won"], figures["lost"]) == (1, 0, 1)
    assert (figures["profit"], figures["r_mean"]) == ("-10.5", "-1.05")


def test_bytes_follow_from_the_ledger_alone(runtime: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A copy of the journal alone, elsewhere and later, gives the same bytes."""
    other = tmp_path_factory.mktemp("other")
    directory = directory_of(other)
    directory.path.mkdir(parents=True)
    directory.journal.write_bytes(directory_of(runtime).journal.read_bytes())
    rebuild(directory)
    assert all_bytes(other) == all_bytes(runtime)


def test_only_what_differs_is_written(runtime: Path) -> None:
    """A rebuild leaves right files alone and brings each changed or missing one back."""
    directory = directory_of(runtime)
    assert rebuild(directory).written == ()
    directory.derived("equity.json").unlink()
    directory.derived("portfolio.json").write_bytes(b"{}")
    assert rebuild(directory).written == ("portfolio.json", "equity.json")
    with PositionLedger.load(directory) as ledger:
        committed(ledger.close("8", "ETH.X", "T", "51", ts=T0 + 2 * DAY))
    assert rebuild(directory).written == DERIVED


def test_ledger_is_opened_read_only(runtime: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rebuild opens the journal for reading alone and leaves its bytes and times as they are."""
    directory = directory_of(runtime)
    flags: list[int] = []
    original = os.open

    def watching(path: Any, flag: int, *rest: Any, **options: Any) -> int:
        if Path(os.fsdecode(path)) == directory.journal:
            flags.append(flag & (os.O_WRONLY | os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_TRUNC))
        return original(path, flag, *rest, **options)

    before = directory.journal.stat()
    monkeypatch.setattr(os, "open", watching)
    directory.derived("equity.json").unlink()
    rebuild(directory)
    assert set(flags) == {os.O_RDONLY}
    after = directory.journal.stat()
    assert (after.st_mtime_ns, after.st_ctime_ns, after.st_size) == (
        before.st_mtime_ns,
        before.st_ctime_ns,
        before.st_size,
    )


def test_high_watermark_of_a_damaged_file_is_not_believed(runtime: Path) -> None:
    """The entry that a derived file was made from is taken from it only if every byte of the file is intact."""
    data = directory_of(runtime).derived("portfolio.json").read_bytes()
    head = high_watermark_of(data)
    assert head is not None
    assert head.seq == 9
    for offset in range(len(data)):
        flipped = data[:offset] + bytes([data[offset] ^ 1]) + data[offset + 1 :]
        assert high_watermark_of(flipped) is None


def test_unknown_account_is_not_made(tmp_path: Path) -> None:
    """Rebuilding an account without a ledger says so and creates nothing."""
    with pytest.raises(NotFound):
        derived_file.rebuild(directory_of(tmp_path))
    assert not list(tmp_path.iterdir())


def test_entry_of_a_writer_that_still_syncs_is_not_remembered(runtime: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rebuild that read an entry before its writer let go of the ledger writes no file until it did."""
    directory = directory_of(runtime)
    monkeypatch.setattr(derived_file, "_TIMEOUT_S", 0.05)
    directory.derived("equity.json").unlink()
    holder = start_child("lock_holder.py", directory.lock)
    assert holder.stdout is not None
    assert holder.stdout.readline().startswith("held")
    with pytest.raises(LockTimeout):
        rebuild(directory)
    assert not directory.derived("equity.json").exists()
    finish(holder)
    assert rebuild(directory).written == ("equity.json",)


def test_files_are_made_of_nothing_that_a_power_cut_can_still_take(
    runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A live run's entry that is written and not synced yet is synced before a derived file remembers it."""
    directory, events = directory_of(runtime), []
    syncing, writing = os.fdatasync, derived_file.write_artifact
    with PositionLedger.load(directory) as ledger:
        ledger.defer()
        committed(ledger.reserve(Intent("8", "submit", "SOL.X", "S", "BUY", D(1), D(20), "LIMIT", ts=T0 + DAY + 5)))

        def synced(descriptor: int) -> None:
            if os.path.samestat(os.fstat(descriptor), directory.journal.stat()):
                events.append("sync")
            syncing(descriptor)

        def written(path: Path, data: bytes) -> None:
            events.append("file")
            writing(path, data)

        monkeypatch.setattr(os, "fdatasync", synced)
        monkeypatch.setattr(derived_file, "write_artifact", written)
        rebuild(directory)
        assert events[0] == "sync"
        assert "file" in events
