"""`tc venue`: an exchange on this machine for paper runs and drills."""

from __future__ import annotations

import json
import sys
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tc.cli.options import RuntimeRoot
from tc.errors import InputError
from tc.store.roots import Roots

if TYPE_CHECKING:
    from tc.venue.relay import Upstream as UpstreamSetting

app = typer.Typer(help="A loopback exchange that speaks Binance USDT-M.", no_args_is_help=True)

EXIT_INTERRUPTED = 130
PORT_MAX = 65_535

SymbolOption = Annotated[
    list[str],
    typer.Option("--symbol", help="SYMBOL=DATASET[,tick=0.10,lot=0.001,depth=0,maker=0.0002,...]; repeatable."),
]
Accounts = Annotated[Path, typer.Option("--accounts", help="YAML file that names accounts and where their keys are.")]
State = Annotated[Path, typer.Option("--state", help="Directory of this venue's journal and control token.")]
Port = Annotated[int, typer.Option("--port", min=0, max=PORT_MAX, help="Port of the exchange; 0 takes a free one.")]
ControlPort = Annotated[int, typer.Option("--control-port", min=0, max=PORT_MAX, help="Port of faults and truth.")]

Upstream = Annotated[
    str | None, typer.Option("--upstream", help="Pass this market through, keyless: http(s)://HOST[:PORT].")
]
UpstreamStream = Annotated[
    str | None, typer.Option("--upstream-stream", help="Its streams.", show_default="the same with ws(s)")
]


@app.callback()
def _group() -> None:
    """A loopback exchange that speaks Binance USDT-M."""


@app.command("serve")
def serve(
    symbol: SymbolOption,
    accounts: Accounts,
    state: State,
    port: Port = 0,
    control_port: ControlPort = 0,
    speed: Annotated[str, typer.Option("--speed", help="Times as fast as the bars were.")] = "1",
    ticks: Annotated[int, typer.Option("--ticks", min=4, max=1000, help="Public trades a bar.")] = 8,
    seed: Annotated[int, typer.Option("--seed", help="Of partial fills and of turns in the queue.")] = 0,
    latency_ms: Annotated[int, typer.Option("--latency-ms", min=0, max=60_000, help="From order to match.")] = 0,
    partial_fill: Annotated[str, typer.Option("--partial-fill", help="Chance that a fill comes in parts.")] = "0",
    fill_at_touch: Annotated[str, typer.Option("--fill-at-touch", help="Chance of a turn at the touched price.")] = "1",
    funding_rate: Annotated[str, typer.Option("--funding-rate", help="Charged every 8 h of the market's time.")] = "0",
    times: Annotated[
        Literal["data", "live"], typer.Option("--times", help="Stamps of bars: their own, or now.")
    ] = "data",
    hold: Annotated[bool, typer.Option("--hold", help="Play no bar before somebody subscribes.")] = False,
    upstream: Upstream = None,
    upstream_stream: UpstreamStream = None,
    interval: Annotated[str, typer.Option("--interval", help="With --upstream: of the bars passed through.")] = "1m",
    no_limits: Annotated[
        bool, typer.Option("--no-limits", help="Count requests, but never answer 429 or 418.")
    ] = False,
    runtime_root: RuntimeRoot = None,
) -> None:
    """Serve datasets as a market until SIGTERM; print one JSON line with the ports when clients may come."""
    from tc.venue.account_file import read_accounts
    from tc.venue.exchange.market import Rules
    from tc.venue.feed import Pace
    from tc.venue.serve import VenueSetting
    from tc.venue.serve import serve as serve_venue
    from tc.venue.server.rate_limit import UNLIMITED, Limits
    from tc.venue.setting import SPEED_MAX, SPEED_MIN, parse_symbol

    through = _upstream(upstream, upstream_stream, interval)
    rate = _number("--funding-rate", funding_rate, Decimal(-1), Decimal(1))
    pace = Pace(_number("--speed", speed, SPEED_MIN, SPEED_MAX), ticks, hold, rate)
    if through is not None and (hold or times != "data" or pace.speed != 1 or pace.funding_rate):
        raise InputError("--speed, --hold, --times, --funding-rate are about datasets; leave them out with --upstream")
    symbols = [parse_symbol(text, has_dataset=through is None) for text in symbol]
    if len({one.name for one in symbols}) != len(symbols):
        raise InputError("--symbol names the same symbol twice; give each once")
    partial, at_touch = _chance("--partial-fill", partial_fill), _chance("--fill-at-touch", fill_at_touch)
    setting = VenueSetting(
        state=state,
        runtime_root=Roots.of(None, runtime_root).runtime,
        symbols=symbols,
        accounts=read_accounts(accounts),
        pace=pace,
        rules=Rules(seed, latency_ms, partial, at_touch),
        limits=UNLIMITED if no_limits else Limits(),
        port=port,
        control_port=control_port,
        times=times,
        upstream=through,
    )
    if serve_venue(setting, _announce):
        raise typer.Exit(EXIT_INTERRUPTED)


def _upstream(rest: str | None, stream: str | None, interval: str) -> UpstreamSetting | None:
    from tc.venue.relay import Upstream as Setting

    if rest is None:
        if stream is not None:
            raise InputError("--upstream-stream was given without --upstream; give both")
        return None
    rest = rest.rstrip("/")
    stream = (stream or f"ws{rest.removeprefix('http')}").rstrip("/")
    if not rest.startswith(("http://", "https://")) or not stream.startswith(("ws://", "wss://")):
        raise InputError(f"--upstream was {rest!r} with streams at {stream!r}, expected http(s):// and ws(s)://")
    return Setting(rest, stream, interval)


def _announce(facts: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


def _chance(option: str, text: str) -> Decimal:
    return _number(option, text, Decimal(0), Decimal(1))


def _number(option: str, text: str, least: Decimal, most: Decimal) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or not least <= value <= most:
        raise InputError(f"{option} was {text!r}, expected a number from {least} to {most}")
    return value
