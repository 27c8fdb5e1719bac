"""The faults by name: what each one arms or does at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from tc.venue.exchange.refusal import Refusal
from tc.venue.server.call import Site
from tc.venue.server.control_input import Wishes
from tc.venue.server.fault import HANG_S_MAX, HttpFault, MessageFault, RejectFault

_SOCKETS = ("all", "market", "user")
_TARGETS = ("http", "market", "user")
_WAYS = (*_TARGETS, "answer")
_LOSSES = ("cut", "hang", "503", "502html")
Fault = Callable[[Site, Wishes], Awaitable[dict[str, Any]]]


async def _cut(site: Site, wishes: Wishes) -> dict[str, Any]:
    boxes = _boxes(site, wishes)
    for box in boxes:
        box.cut()
    return {"sockets": len(boxes)}


async def _close(site: Site, wishes: Wishes) -> dict[str, Any]:
    code = wishes.count("code", 1001)
    boxes = _boxes(site, wishes)
    for box in boxes:
        await box.close(code)
    return {"sockets": len(boxes)}


async def _refuse(site: Site, wishes: Wishes) -> dict[str, Any]:
    return _switch(site.faults.refused, wishes)


async def _stall(site: Site, wishes: Wishes) -> dict[str, Any]:
    return _switch(site.faults.stalled, wishes)


async def _latency(site: Site, wishes: Wishes) -> dict[str, Any]:
    target, milliseconds = wishes.choice("target", _WAYS), wishes.count("milliseconds", least=0)
    wishes.done()
    site.faults.latency_ms[target] = milliseconds
    return {"latency_ms": dict(site.faults.latency_ms)}


def _message(kind: str) -> Fault:
    async def arm(site: Site, wishes: Wishes) -> dict[str, Any]:
        fault = MessageFault(
            kind=kind,
            target=wishes.choice("target", _SOCKETS, "user"),
            left=wishes.count("count", 1),
            event=wishes.text("event", ""),
            execution=wishes.text("execution", ""),
            account=wishes.text("account", ""),
        )
        wishes.done()
        site.faults.messages.append(fault)
        return {"count": fault.left}

    return arm


async def _reject(site: Site, wishes: Wishes) -> dict[str, Any]:
    code, text = wishes.code("code", -2019), wishes.text("message", "Margin is insufficient.")
    count, reduce_only = wishes.count("count", 1), wishes.flag("reduce_only", default=False)
    wishes.done()
    site.faults.rejects.append(RejectFault(count, Refusal(code, text), reduce_only))
    return {"count": count}


async def _http(site: Site, wishes: Wishes) -> dict[str, Any]:
    fault = HttpFault(
        left=wishes.count("count", 1),
        method=wishes.choice("method", ("", "GET", "POST", "PUT", "DELETE"), ""),
        path=wishes.text("path", ""),
        status=wishes.count("status", 0, least=0),
        code=wishes.code("code", -1001),
        message=wishes.text("message", "injected"),
        html=wishes.flag("html", default=False),
        retry_after_s=wishes.count("retry_after_s", 1),
        hang_s=wishes.seconds("hang_s", 0),
        cut=wishes.flag("cut", default=False),
    )
    wishes.done()
    site.faults.requests.append(fault)
    return {"count": fault.left}


async def _lost_ack(site: Site, wishes: Wishes) -> dict[str, Any]:
    how = wishes.choice("how", _LOSSES, "cut")
    fault = HttpFault(
        left=wishes.count("count", 1),
        method=wishes.choice("method", ("POST", "PUT", "DELETE"), "POST"),
        path=wishes.text("path", "/fapi/v1/order"),
        hang_s=wishes.seconds("hang_s", HANG_S_MAX) if how == "hang" else 0.0,
        cut=how in ("cut", "hang"),
        status={"503": 503, "502html": 502}.get(how, 0),
        message="Unknown error, please check your request or try again later.",
        html=how == "502html",
        after=True,
    )
    wishes.done()
    site.faults.requests.append(fault)
    return {"count": fault.left}


async def _expire_listen_key(site: Site, wishes: Wishes) -> dict[str, Any]:
    account = wishes.choice("account", site.desk.state.accounts)
    wishes.done()
    site.hub.expire_keys(site.desk.now_ms(), account)
    return {"account": account}


async def _clear(site: Site, wishes: Wishes) -> dict[str, Any]:
    wishes.done()
    site.faults.clear()
    return {}


def _boxes(site: Site, wishes: Wishes) -> list[Any]:
    target, account = wishes.choice("target", _SOCKETS, "all"), wishes.text("account", "")
    wishes.done()
    return [box for box in site.hub.boxes if target in ("all", box.target) and account in ("", box.account)]


def _switch(switches: set[str], wishes: Wishes) -> dict[str, Any]:
    target, is_on = wishes.choice("target", ("all", *_TARGETS), "all"), wishes.flag("on", default=True)
    wishes.done()
    chosen = set(_TARGETS) if target == "all" else {target}
    switches.difference_update(chosen)
    if is_on:
        switches.update(chosen)
    return {"on": sorted(switches)}


FAULTS: dict[str, Fault] = {
    "cut": _cut,
    "close": _close,
    "refuse": _refuse,
    "stall": _stall,
    "latency": _latency,
    "drop": _message("drop"),
    "duplicate": _message("duplicate"),
    "reorder": _message("reorder"),
    "reject": _reject,
    "http": _http,
    "lost_ack": _lost_ack,
    "expire_listen_key": _expire_listen_key,
    "clear": _clear,
}
