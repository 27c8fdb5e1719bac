"""`tc ledger`: an account's positions, reservations and equity, changed under one lock and checked on every reading."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from tc.cli.ledger_watch import watch
from tc.cli.options import Account, AsJson, RuntimeRoot
from tc.cli.output import emit, print_json, print_lines, print_table
from tc.clock import SYSTEM_CLOCK, iso_utc
from tc.durable import read_artifact
from tc.errors import BusyError, InputError, RefusedError
from tc.store.derived_file import rebuild as rebuild_files
from tc.store.ledger import PositionLedger
from tc.store.ledger_directory import LedgerDirectory
from tc.store.ledger_guard import guarded
from tc.store.ledger_reading import read_state
from tc.store.ledger_recovery import restore, verify_ledger
from tc.store.ledger_rule import LEDGER_BUSY, LEDGER_CODES, OpenPositionCap, Refused, Rules, Unlimited
from tc.store.ledger_session import Outcome
from tc.store.roots import Roots

app = typer.Typer(
    help="The locked position ledger of an account: open, reduce, close, show, verify, rebuild.", no_args_is_help=True
)
app.command()(watch)

Strategy = Annotated[str, typer.Option("--strategy", help="The strategy that holds the position.")]
Instrument = Annotated[str, typer.Argument(help="Instrument id, such as BTCUSDT-PERP.BINANCE.")]
Price = Annotated[str, typer.Argument(help="Price of the fill.")]
Fee = Annotated[str, typer.Option("--fee", help="Fee in the ledger's currency; a rebate is negative.")]
CommandId = Annotated[
    str | None,
    typer.Option("--command-id", help="Repeated with the same id, a command happens once.", show_default="a new one"),
]
Person = Annotated[str, typer.Option("--by", help="The person who answers for it.")]
Reason = Annotated[str, typer.Option("--reason", help="Why.")]


@app.command()
def create(
    account: Account,
    currency: Annotated[str, typer.Option("--currency", help="What the account counts in.")] = "USDT",
    capital: Annotated[str | None, typer.Option("--capital", help="First deposit.")] = None,
    as_json: AsJson = False,
    runtime_root: RuntimeRoot = None,
) -> None:
    """Make the ledger of a new account."""
    directory = _directory(runtime_root, account)
    with PositionLedger.create(directory, currency) as ledger:
        outcome = None if capital is None else ledger.deposit(_new_id(), capital)
    rebuild_files(directory)
    if outcome is not None:
        _answer(outcome, as_json=as_json)
    elif as_json:
        print_json({"created": str(directory.path)})
    else:
        print_lines([f"created {directory.path}"])


@app.command()
def deposit(
    amount: Annotated[str, typer.Argument(help="Money that came in.")],
    account: Account,
    command_id: CommandId = None,
    as_json: AsJson = False,
    runtime_root: RuntimeRoot = None,
) -> None:
    """Record money that came in; it heals no drawdown."""
    with _changing(runtime_root, account) as ledger:
        outcome = ledger.deposit(command_id or _new_id(), amount)
    _finish(runtime_root, account, outcome, as_json=as_json)


@app.command()
def withdraw(
    amount: Annotated[str, typer.Argument(help="Money that went out.")],
    account: Account,
    command_id: CommandId = None,
    as_json: AsJson = False,
    runtime_root: RuntimeRoot = None,
) -> None:
    """Record money that went out; it causes no drawdown."""
    with _changing(runtime_root, account) as ledger:
        outcome = ledger.withdraw(command_id or _new_id(), amount)
    _finish(runtime_root, account, outcome, as_json=as_json)


@app.command("open")
def open_position(
    instrument: Instrument,
    side: Annotated[str, typer.Argument(help="BUY or SELL.")],
    quantity: Annotated[str, typer.Argument(help="Size, above zero.")],
    price: Price,
    account: Account,
    strategy: Strategy = "manual",
    stop: Annotated[str | None, typer.Option("--stop", help="Protective stop; without one R is unknown.")] = None,
    target: Annotated[str | None, typer.Option("--target", help="Price aimed at.")] = None,
    setup: Annotated[str, typer.Option("--setup", help="Name of the setup, for its statistics.")] = "",
    grade: Annotated[str, typer.Option("--grade", help="Your grade of the setup.")] = "",
    notes: Annotated[str, typer.Option("--notes", help="Free text.")] = "",
    fee: Fee = "0",
    multiplier: Annotated[str, typer.Option("--multiplier", help="Contract multiplier.")] = "1",
    inverse: Annotated[bool, typer.Option("--inverse", help="The contract is inverse.")] = False,
    open_positions_max: Annotated[
        int | None, typer.Option("--open-positions-max", min=1, help="Refuse to hold more positions than this.")
    ] = None,
    command_id: CommandId = None,
    as_json: AsJson = False,
    runtime_root: RuntimeRoot = None,
) -> None:
    """Open a position, or add to one of the same side."""
    rules = Unlimited() if open_positions_max is None else OpenPositionCap(open_positions_max)
    with _changing(runtime_root, account, rules) as ledger:
        outcome = ledger.open(
            command_id or _new_id(), instrument, strategy, side.upper(), quantity, price, fee=fee, stop=stop,
            target=target, setup=setup, grade=grade, notes=notes, multiplier=multiplier, is_inverse=inverse,
        )  # fmt: skip
    _finish(runtime_root, account, outcome, as_json=as_json)


@app.command()
def reduce(
    instrument: Instrument,
    quantity: Annotated[str, typer.Argument(help="How much to take off, above zero.")],
    price: Price,
    account: Account,
    strategy: Strategy = "manual",
    fee: Fee = "0",
    command_id: CommandId = None,
    as_json: AsJson = False,
    runtime_root: RuntimeRoot = None,
) -> None:
    """Close a part of a position."""
    with _changing(runtime_root, account) as ledger:
        outcome = ledger.reduce(command_id or _new_id(), instrument, strategy, quantity, price, fee=fee)
    _finish(runtime_root, account, outcome, as_json=as_json)


@app.command("close")
def close_position(
    instrument: Instrument,
    price: Price,
    account: Account,
    strategy: Strategy = "manual",
    fee: Fee = "0",
    command_id: CommandId = None,
    as_json: AsJson = False,
    runtime_root: RuntimeRoot = None,
) -> None:
    """Close all that is left of a position."""
    with _changing(runtime_root, account) as ledger:
        outcome = ledger.close(command_id or _new_id(), instrument, strategy, price, fee=fee)
    _finish(runtime_root, account, outcome, as_json=as_json)


@app.command()
def release(
    account: Account,
    reservation: Annotated[str | None, typer.Option("--reservation", help="Release what an order reserved.")] = None,
    loss_streak: Annotated[str | None, typer.Option("--loss-streak", help="Let an instrument trade again.")] = None,
    latch: Annotated[str | None, typer.Option("--latch", help="Release a latch, such as total_drawdown.")] = None,
    person: Person = "",
    reason: Reason = "",
    command_id: CommandId = None,
    as_json: AsJson = False,
    runtime_root: RuntimeRoot = None,
) -> None:
    """Release a reservation, a loss streak or a latch; the latter two in a person's name."""
    if sum(one is not None for one in (reservation, loss_streak, latch)) != 1:
        raise InputError("tc ledger release needs exactly one of --reservation, --loss-streak and --latch")
    name = command_id or _new_id()
    with _changing(runtime_root, account) as ledger:
        if reservation is not None:
            outcome = ledger.release(name, reservation, reason)
        elif loss_streak is not None:
            outcome = ledger.release_streak(name, loss_streak, person, reason)
        else:
            outcome = ledger.release_latch(name, latch or "", person, reason)
    _finish(runtime_root, account, outcome, as_json=as_json)


@app.command()
def show(account: Account, as_json: AsJson = False, runtime_root: RuntimeRoot = None) -> None:
    """Print positions, reservations and equity as the ledger has them now."""
    directory = _directory(runtime_root, account)
    with guarded(directory):
        state = read_state(directory)
    book = state.snapshot(SYSTEM_CLOCK.now_ns())
    rows = [(one.instrument_id, one.strategy_id, one) for one in book.rows.values()]
    if as_json:
        print_json(
            {
                "account": account, "currency": state.currency, "entries": state.seq,
                "realized": state.realized, "peak": state.peak, "capital": state.capital,
                "profit": state.profit, "fees": state.fees,
                "positions": [_fields(row) for *_, row in rows],
                "reservations": [_fields(one) for one in book.reservations.values()],
                "consecutive_losses": dict(book.consecutive_losses), "latches": dict(book.latches),
            }
        )  # fmt: skip
        return
    print_lines([f"{account}: {state.realized} {state.currency}, peak {state.peak}, {len(rows)} open positions"])
    if rows:
        header = ("instrument", "strategy", "quantity", "entry", "stop", "target", "opened")
        cells = [
            (instrument, strategy, str(row.quantity), str(row.price_open), str(row.stop or "-"),
             str(row.target or "-"), iso_utc(row.ts_opened))
            for instrument, strategy, row in rows
        ]  # fmt: skip
        print_table(header, cells)
    if book.reservations:
        print_lines([f"{len(book.reservations)} reservations: {', '.join(book.reservations)}"])


@app.command()
def verify(account: Account, as_json: AsJson = False, runtime_root: RuntimeRoot = None) -> None:
    """Check every entry, the chain, the anchor and the fold; exit 1 where something is wrong."""
    check = verify_ledger(_directory(runtime_root, account))
    if as_json:
        print_json(
            {
                "intact": check.problem is None, "entries": check.entries, "head": check.head.hash,
                "torn_bytes": check.torn_bytes, "problem": None if check.problem is None else str(check.problem),
            }
        )  # fmt: skip
    elif check.problem is None:
        torn = f", then {check.torn_bytes} torn bytes that the next writer repairs" if check.torn_bytes else ""
        print_lines([f"{check.entries:,} entries, chain and fold intact, head {check.head.hash}{torn}"])
    else:
        print_lines([str(check.problem)])
    raise typer.Exit(0 if check.problem is None else 1)


@app.command()
def rebuild(
    account: Account,
    copy: Annotated[Path | None, typer.Option("--from", help="Restore a damaged ledger from this copy first.")] = None,
    accept_loss: Annotated[bool, typer.Option("--accept-loss", help="Go on though the copy lacks entries.")] = False,
    person: Person = "",
    reason: Reason = "",
    as_json: AsJson = False,
    runtime_root: RuntimeRoot = None,
) -> None:
    """Rebuild portfolio, equity, risk state and setup performance from the ledger alone."""
    directory = _directory(runtime_root, account)
    restored = None
    if copy is not None:
        restored = restore(directory, copy, person=person, reason=reason, accepts_loss=accept_loss)
    done = rebuild_files(directory)
    if as_json:
        facts: dict[str, Any] = {"entries": done.head.seq, "head": done.head.hash, "written": list(done.written)}
        if restored is not None:
            facts["restored"] = {
                "entries": restored.entries,
                "missing": restored.missing,
                "evidence": restored.evidence,
            }
        print_json(facts)
        return
    if restored is not None:
        print_lines(
            [f"restored {restored.entries:,} entries, {restored.missing:,} are missing; kept {restored.evidence}"]
        )
    print_lines([f"{done.head.seq:,} entries; {', '.join(done.written) or 'every file was right'}"])


@app.command()
def export(account: Account, runtime_root: RuntimeRoot = None) -> None:
    """Print the ledger's lines as they are stored, verified: a copy that `rebuild --from` takes."""
    directory = _directory(runtime_root, account)
    with guarded(directory):
        read_state(directory)
    lines, _, _ = read_artifact(directory.journal).rpartition(b"\n")
    emit(lines.decode())


def _directory(runtime_root: Path | None, account: str) -> LedgerDirectory:
    return LedgerDirectory.of(Roots.of(None, runtime_root), account)


def _changing(runtime_root: Path | None, account: str, rules: Rules | None = None) -> PositionLedger:
    return PositionLedger.load(_directory(runtime_root, account), rules=rules)


def _new_id() -> str:
    return f"cli-{SYSTEM_CLOCK.now_ns()}-{os.getpid()}"


def _finish(runtime_root: Path | None, account: str, outcome: Outcome, *, as_json: bool) -> None:
    with contextlib.suppress(BusyError):  # who rebuilds at this moment leaves the files as new as these would be
        rebuild_files(_directory(runtime_root, account))
    _answer(outcome, as_json=as_json)


def _answer(outcome: Outcome, *, as_json: bool) -> None:
    if isinstance(outcome, Refused):
        if as_json:
            print_json({"refused": outcome.code, "detail": outcome.detail})
        raise _fault(outcome)
    facts = {
        "command_id": outcome.command_id, "entry": outcome.seq, "ts": outcome.ts, "warnings": list(outcome.warnings),
        "closed": [msgspec.structs.asdict(one) | {"r_multiple": one.r_multiple} for one in outcome.closed],
    }  # fmt: skip
    if as_json:
        print_json(facts)
        return
    print_lines([f"entry {outcome.seq} ({outcome.command_id})"])
    for one in outcome.closed:
        multiple = "no stop" if one.r_multiple is None else f"{one.r_multiple:.2f} R"
        print_lines([f"closed {one.quantity} {one.instrument_id}: {one.profit} after fees, {multiple}"])


def _fault(refused: Refused) -> BusyError | InputError | RefusedError:
    sentence = f"{refused.code}: {refused.detail}"
    if refused.code == LEDGER_BUSY:
        return BusyError(sentence)
    if refused.code in LEDGER_CODES:
        return InputError(f"{sentence}. {LEDGER_CODES[refused.code]}")
    return RefusedError(sentence)


def _fields(record: Any) -> dict[str, Any]:
    return dataclasses.asdict(record)
