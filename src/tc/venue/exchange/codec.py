"""Events as JSON and back, exactly: decimals are strings."""

from __future__ import annotations

import dataclasses
import json
import typing
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec

from tc.errors import TcBug
from tc.venue.exchange import event as events
from tc.venue.exchange.event import Event

_KINDS: dict[str, type[Any]] = {kind.__name__: kind for kind in typing.get_args(events.Event)}
_PLAIN = (str, int, bool)
_encode = msgspec.json.Encoder().encode


def kind_of(event: Event) -> str:
    """Return the name under which an event is kept."""
    return type(event).__name__


def encode(event: Event) -> bytes:
    """Return an event as one compact JSON object."""
    return _encode(_plain(event))


def decode(kind: str, data: bytes) -> Event | None:
    """Return the event that `encode` was given; None where `kind` is no event of the exchange."""
    if kind not in _KINDS:
        return None
    event: Event = _build(_KINDS[kind], json.loads(data))
    return event


def _plain(value: Any) -> dict[str, Any]:
    return {name: write(getattr(value, name)) for name, write, _ in _fields(type(value))}


def _build(kind: type[Any], data: dict[str, Any]) -> Any:
    return kind(**{name: read(data[name]) for name, _, read in _fields(kind)})


_cache: dict[type[Any], list[tuple[str, Callable[[Any], Any], Callable[[Any], Any]]]] = {}


def _fields(kind: type[Any]) -> list[tuple[str, Callable[[Any], Any], Callable[[Any], Any]]]:
    known = _cache.get(kind)
    if known is None:
        hints = typing.get_type_hints(kind)
        known = _cache[kind] = [(field.name, *_pair(hints[field.name])) for field in dataclasses.fields(kind)]
    return known


def _pair(hint: Any) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    if hint is Decimal:
        return _decimal_text, Decimal
    if dataclasses.is_dataclass(hint):
        return _plain, lambda data, hint=hint: _build(hint, data)
    if hint in _PLAIN:
        return _same, _same
    raise TcBug(f"an event field of type {hint} cannot be kept")


def _decimal_text(value: Decimal) -> str:
    return format(value, "f")


def _same(value: Any) -> Any:
    return value
