"""What follows from a ledger: portfolio, equity with its curve, risk state and performance by setup.

Pure and deterministic: the same entries give the same bytes, on any machine and on any day.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict
from decimal import Decimal, localcontext
from typing import Any

from tc.durable import Head
from tc.store.ledger_entry import BreachRecorded, Stored
from tc.store.ledger_number import ARITHMETIC, ZERO
from tc.store.ledger_projection import Projection
from tc.store.ledger_row import ClosedPosition

SCHEMA = "tc.derived/v1"
_FRACTION = Decimal("0.00000001")
_DIGEST_KEY = b',\n"digest": "'


class Statement:
    """Collects, entry by entry, what the derived files say beyond the state of the ledger."""

    def __init__(self) -> None:
        self._curve: list[tuple[int, Decimal, Decimal]] = []
        self._closed: list[ClosedPosition] = []
        self._breaches: list[dict[str, Any]] = []
        self._worst = ZERO

    def take(self, state: Projection, stored: Stored) -> None:
        """Take the entry that led to `state` into account."""
        if not self._curve or self._curve[-1][1:] != (state.realized, state.peak):
            self._curve.append((stored.ts, state.realized, state.peak))
            self._worst = max(self._worst, _fallen(state.realized, state.peak))
        self._closed.extend(state.commands[stored.record.command_id].closed)
        if isinstance(stored.record, BreachRecorded):
            record = stored.record
            self._breaches.append({"ts": stored.ts, "fill": record.cause, "code": record.code, "detail": record.detail})

    def documents(self, state: Projection, head: Head) -> dict[str, bytes]:
        """Return the bytes of each derived file by its name."""
        common = {
            "schema": SCHEMA,
            "account": state.account,
            "currency": state.currency,
            "high_watermark": {"seq": head.seq, "hash": head.hash, "ts": state.ts},
        }
        with localcontext(ARITHMETIC):
            return {
                "portfolio.json": _encoded(common | _portfolio(state)),
                "equity.json": _encoded(common | self._equity(state)),
                "risk_state.json": _encoded(common | self._risk_state(state)),
                "setup_performance.json": _encoded(common | {"setups": _performance(self._closed)}),
            }

    def _equity(self, state: Projection) -> dict[str, Any]:
        return {
            "capital": state.capital, "profit": state.profit, "fees": state.fees, "realized": state.realized,
            "peak": state.peak, "drawdown": _fallen(state.realized, state.peak), "drawdown_max": self._worst,
            "curve_columns": ["ts", "realized", "peak", "drawdown"],
            "curve": [[ts, realized, peak, _fallen(realized, peak)] for ts, realized, peak in self._curve],
        }  # fmt: skip

    def _risk_state(self, state: Projection) -> dict[str, Any]:
        equity = state.book(state.ts).equity
        return {
            "as_of": state.ts,
            "drawdown": _fallen(equity.realized, equity.peak),
            "day_loss": _fallen(equity.realized, equity.day_start),
            "week_loss": _fallen(equity.realized, equity.week_start),
            "day_start": equity.day_start, "week_start": equity.week_start, "peak": equity.peak,
            "open_positions": len(state.positions), "reservations": len(state.reservations),
            "consecutive_losses": dict(sorted(state.streaks.items())),
            "latches": dict(sorted(state.latches.items())),
            "breaches": self._breaches,
        }  # fmt: skip


def high_watermark_of(data: bytes) -> Head | None:
    """Return the head of the ledger that a derived file was made from; None where the file is damaged."""
    body, key, tail = data.rpartition(_DIGEST_KEY)
    if not key or tail != _digest(body) + b'"\n}\n':
        return None
    mark = json.loads(data)["high_watermark"]
    return Head(mark["seq"], mark["hash"])


def _portfolio(state: Projection) -> dict[str, Any]:
    net: dict[str, Decimal] = {}
    positions = []
    for (instrument_id, _), position in sorted(state.positions.items()):
        net[instrument_id] = net.get(instrument_id, ZERO) + position.quantity
        row = asdict(position.row(state.account))
        del row["account"]
        positions.append(row | {"profit": position.profit, "fees": position.fees, "risk": position.risk})
    return {
        "cash": {"capital": state.capital, "profit": state.profit, "fees": state.fees, "realized": state.realized},
        "net": net,
        "positions": positions,
        "reservations": [asdict(one) for _, one in sorted(state.reservations.items())],
    }


def _performance(closed: Iterable[ClosedPosition]) -> dict[str, Any]:
    by_setup: dict[str, list[ClosedPosition]] = {}
    for one in closed:
        by_setup.setdefault(one.setup, []).append(one)
    return {setup: _figures(by_setup[setup]) for setup in sorted(by_setup)}


def _figures(closed: list[ClosedPosition]) -> dict[str, Any]:
    count = len(closed)
    profits = [one.profit for one in closed]
    won = [profit for profit in profits if profit > 0]
    lost = [profit for profit in profits if profit < 0]
    multiples = [multiple for one in closed if (multiple := one.r_multiple) is not None]
    return {
        "positions": count,
        "won": len(won),
        "lost": len(lost),
        "win_rate": _fraction(Decimal(len(won)) / count),
        "profit": sum(profits, ZERO),
        "expectancy": _fraction(sum(profits, ZERO) / count),
        "profit_factor": _fraction(sum(won, ZERO) / -sum(lost, ZERO)) if lost else None,
        "best": max(profits),
        "worst": min(profits),
        "with_stop": len(multiples),
        "r_total": _fraction(sum(multiples, ZERO)) if multiples else None,
        "r_mean": _fraction(sum(multiples, ZERO) / len(multiples)) if multiples else None,
        "held_mean_s": sum(one.ts_closed - one.ts_opened for one in closed) // count // 1_000_000_000,
    }


def _fallen(realized: Decimal, reference: Decimal) -> Decimal:
    # A fraction of the reference, zero where equity stands above it.
    with localcontext(ARITHMETIC):
        return _fraction((reference - realized) / reference) if 0 < reference > realized else ZERO


def _fraction(number: Decimal) -> Decimal:
    return number.quantize(_FRACTION)


def _encoded(document: dict[str, Any]) -> bytes:
    # One line a key, and one line an element of a list: readable, comparable, quick for a long curve.
    lines = [f"{json.dumps(key)}: {_value(value)}" for key, value in document.items()]
    body = ("{\n" + ",\n".join(lines)).encode()
    return body + _DIGEST_KEY + _digest(body) + b'"\n}\n'


def _value(value: Any) -> str:
    if isinstance(value, list) and value:
        return "[\n  " + ",\n  ".join(json.dumps(one, default=_plain, ensure_ascii=False) for one in value) + "\n]"
    return json.dumps(value, default=_plain, ensure_ascii=False)


def _plain(number: Decimal) -> str:
    return format(number.normalize(), "f") if number else "0"


def _digest(body: bytes) -> bytes:
    return b"sha256:" + hashlib.sha256(body).hexdigest().encode()
