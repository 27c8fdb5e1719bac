"""The execution client of a live node: what was given up never leaves, and what may still leave is not given up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from nautilus_trader.core.uuid import UUID4
from nautilus_trader.execution.messages import ModifyOrder
from nautilus_trader.model.events import OrderCanceled, OrderSubmitted

from support.client_lab import STRATEGY, TRADER, Answers, ClientLab, busy, no_such_order
from tc.engine import live_doubt
from tc.errors import StorageError

GONE_S = 3.5
"""So long after it left for the last time: the receive window of 2.5 s, and a second."""
SPARE_S = 0.1


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let doubts come round often: their time is the test's."""
    monkeypatch.setattr(live_doubt, "INTERVAL_S", 0.01)


def posts_answered(answer: Callable[[], Awaitable[web.StreamResponse]]) -> Answers:
    """Return a venue that answers new orders so, and has none of which it is asked."""

    async def answers(request: web.Request) -> web.StreamResponse:
        return await answer() if request.method == "POST" else no_such_order()

    return answers


def in_doubt(answers: Answers, steps: Callable[[ClientLab], Awaitable[None]]) -> None:
    """Take the steps while orders in doubt are asked for."""

    async def run(lab: ClientLab) -> None:
        asking = asyncio.create_task(lab.client._doubt.run())
        try:
            await steps(lab)
        finally:
            asking.cancel()

    asyncio.run(ClientLab(answers).run(run))


def test_an_order_never_leaves_after_it_was_rejected() -> None:
    """Refused as busy after 3.9 s, while the venue says to each question that it has none: it is sent once."""
    answered: list[asyncio.Event] = []

    async def late() -> web.StreamResponse:
        await answered[0].wait()
        return busy()

    async def steps(lab: ClientLab) -> None:
        answered.append(asyncio.Event())
        order = lab.order("O-1")
        lab.submit(order)
        await lab.until(lambda: lab.posts)
        await lab.seen(order)
        lab.clock.pass_s(GONE_S + 0.4)
        await lab.asked()
        answered[0].set()
        await lab.until(lambda: order.is_closed and not lab.client._leaving)
        assert (lab.posts, lab.told) == (["O-1"], ["OrderSubmitted", "OrderRejected"])

    in_doubt(posts_answered(late), steps)


def test_an_order_is_gone_a_receive_window_after_it_left_last() -> None:
    """Sent again after 2 s and never answered, it is given up 3.5 s after that, not after its submission."""
    answers = [busy]

    async def cut() -> web.StreamResponse:
        if answers:
            lab_of[0].clock.pass_s(2.0)
            return answers.pop()()
        return web.Response(status=502, text="<html>")

    lab_of: list[ClientLab] = []

    async def steps(lab: ClientLab) -> None:
        lab_of.append(lab)
        order = lab.order("O-1")
        lab.submit(order)
        await lab.until(lambda: len(lab.posts) == 2 and not lab.client._leaving)
        await lab.seen(order)
        lab.clock.pass_s(GONE_S - SPARE_S)
        await lab.asked()
        assert order.is_inflight
        lab.clock.pass_s(SPARE_S)
        await lab.until(lambda: order.is_closed)
        assert lab.posts == ["O-1", "O-1"]

    in_doubt(posts_answered(cut), steps)


def test_an_order_that_waits_for_the_disk_is_not_given_up() -> None:
    """However long its intent takes to be on disk: it has not left, so nobody is told that it did not arrive."""

    async def taken() -> web.StreamResponse:
        return web.json_response({})

    async def steps(lab: ClientLab) -> None:
        lab.recorded.clear()
        order, other = lab.order("O-1"), lab.order("O-2")
        lab.submit(order)
        await lab.until(lambda: order.is_inflight)
        lab.clock.pass_s(GONE_S * 2)
        await asyncio.sleep(0.2)
        assert order.is_inflight
        lab.recorded.set()
        await lab.until(lambda: lab.posts)
        lab.submit(other)
        await lab.until(lambda: len(lab.posts) == 2)
        assert "OrderRejected" not in lab.told

    in_doubt(posts_answered(taken), steps)


def test_a_clock_that_is_set_makes_no_order_older() -> None:
    """An hour ahead on the wall clock, an order that just left and was not answered is still asked for."""

    async def nothing() -> web.StreamResponse:
        return web.Response(status=502)

    async def steps(lab: ClientLab) -> None:
        order = lab.order("O-1")
        lab.submit(order)
        await lab.until(lambda: lab.posts and not lab.client._leaving)
        await lab.seen(order)
        lab.clock.step_s = 3_600.0
        lab.clock.pass_s(2.0)
        await lab.asked()
        assert order.is_inflight
        lab.clock.pass_s(GONE_S)
        await lab.until(lambda: order.is_closed)

    in_doubt(posts_answered(nothing), steps)


def test_what_a_node_before_this_one_sent_is_gone_a_receive_window_after_this_one_began() -> None:
    """It is asked for at once, and given up as soon as nothing that left before can arrive any more."""

    async def steps(lab: ClientLab) -> None:
        order = lab.order("O-1")
        lab.tell(submitted(lab, order))
        await lab.asked()
        assert order.is_inflight
        lab.clock.pass_s(2.5)
        await lab.until(lambda: order.is_closed)
        assert lab.told[-1] == "OrderRejected"

    in_doubt(posts_answered(never), steps)


def test_an_order_that_ended_is_not_sent_again_and_the_others_of_its_list_are() -> None:
    """What ended while it was sent is not sent again and not called rejected; of a list the next one leaves."""

    async def steps(lab: ClientLab) -> None:
        first, second = lab.order("O-1"), lab.order("O-2")

        async def end_first() -> web.StreamResponse:
            if lab.posts == ["O-1"]:
                lab.tell(canceled(lab, first))
                return busy()
            return web.json_response({})

        lab.answers = posts_answered(end_first)
        lab.submit_list([first, second])
        await lab.until(lambda: not lab.client._leaving)
        assert (lab.posts, "OrderRejected" in lab.told) == (["O-1", "O-2"], False)

    asyncio.run(ClientLab(posts_answered(never)).run(steps))


async def never() -> web.StreamResponse:
    """Answer an order that must not come."""
    raise AssertionError


def submitted(lab: ClientLab, order: Any) -> OrderSubmitted:
    """Return that an order was sent, by a node that is no more."""
    return OrderSubmitted(
        TRADER, STRATEGY, order.instrument_id, order.client_order_id, lab.client.account_id, UUID4(), 0, 0
    )


def canceled(lab: ClientLab, order: Any) -> OrderCanceled:
    """Return that the venue canceled an order."""
    return OrderCanceled(
        TRADER, STRATEGY, order.instrument_id, order.client_order_id, None, lab.client.account_id, UUID4(), 0, 0
    )


@pytest.mark.parametrize(("status", "text"), [(200, "<html>"), (400, '{"code": -1007, "msg": "unknown"}')])
def test_an_answer_that_says_nothing_rejects_nothing(status: int, text: str) -> None:
    """A page of HTML with 200, or an unknown fate with 400: the order is in doubt, and sent once."""

    async def nothing() -> web.StreamResponse:
        return web.Response(status=status, text=text)

    async def steps(lab: ClientLab) -> None:
        order = lab.order("O-1")
        lab.submit(order)
        await lab.until(lambda: lab.posts and not lab.client._leaving)
        assert (order.is_inflight, lab.posts) == (True, ["O-1"])

    in_doubt(posts_answered(nothing), steps)


def test_the_rest_of_a_list_is_denied_where_nobody_answered_for_one_of_it() -> None:
    """What was not sent is said to be: it would else be neither sent nor over, its reservation kept for ever."""

    async def nothing() -> web.StreamResponse:
        return web.Response(status=502)

    async def steps(lab: ClientLab) -> None:
        first, second = lab.order("O-1"), lab.order("O-2")
        lab.submit_list([first, second])
        await lab.until(lambda: not lab.client._leaving)
        assert (first.is_inflight, second.status_string(), lab.posts) == (True, "DENIED", ["O-1"])

    asyncio.run(ClientLab(posts_answered(nothing)).run(steps))


@pytest.mark.parametrize("why", ["held back", "linked"])
def test_each_order_of_a_list_that_is_not_sent_is_denied_once(why: str) -> None:
    """Once, though the engine takes what it is told from a queue later; a strategy answers to each denial."""

    async def steps(lab: ClientLab) -> None:
        reasons = lab.deny_late()
        if why == "held back":
            lab.hooks.may_leave = lambda _order: "KILLED: it was closed"
        linked = ["O-9"] if why == "linked" else []
        lab.submit_list([lab.order("O-1", *linked), lab.order("O-2", *linked)])
        await lab.until(lambda: not lab.client._leaving)
        assert [name for name, _ in reasons] == ["O-1", "O-2"]
        assert {reason.partition(":")[0] for _, reason in reasons} <= {"KILLED", "UNSUPPORTED_OCO_CONDITIONAL_ORDERS"}

    asyncio.run(ClientLab(posts_answered(never)).run(steps))


def test_an_order_whose_task_is_canceled_before_it_is_sent_is_denied() -> None:
    """The node disconnects while it waits for room: it would else be neither sent nor over."""

    async def steps(lab: ClientLab) -> None:
        waiting, order = asyncio.Event(), lab.order("O-1")

        async def take(*_words: Any) -> str | None:
            waiting.set()
            return await asyncio.Event().wait() and None

        lab.http.take = take  # type: ignore[method-assign]
        lab.submit(order)
        await waiting.wait()
        await lab.client.cancel_pending_tasks()
        await lab.until(lambda: not lab.client._leaving)
        assert (order.status_string(), lab.posts) == ("DENIED", [])

    asyncio.run(ClientLab(posts_answered(never)).run(steps))


def test_of_a_list_whose_task_is_canceled_no_more_is_sent() -> None:
    """The node disconnects while nobody has answered for the first: the second does not leave after that."""

    over: list[asyncio.Event] = []

    async def nothing() -> web.StreamResponse:
        await over[0].wait()
        return web.Response(status=502)

    async def steps(lab: ClientLab) -> None:
        over.append(asyncio.Event())
        first, second = lab.order("O-1"), lab.order("O-2")
        lab.submit_list([first, second])
        await lab.until(lambda: lab.posts)
        await lab.client.cancel_pending_tasks()
        await lab.until(lambda: not lab.client._leaving)
        over[0].set()
        assert (second.status_string(), lab.posts) == ("DENIED", ["O-1"])

    asyncio.run(ClientLab(posts_answered(nothing)).run(steps))


@pytest.mark.parametrize("disk", ["works", "failed"])
def test_a_change_that_must_not_leave_is_refused(disk: str) -> None:
    """Where the kill latch closed, or the journal failed, while it waited for the disk: the venue hears nothing."""
    asked: list[str] = []

    async def answers(request: web.Request) -> web.StreamResponse:
        asked.append(request.method)
        return no_such_order()

    async def failing() -> None:
        raise StorageError("sync failed")

    async def steps(lab: ClientLab) -> None:
        order = lab.order("O-1")
        lab.tell(submitted(lab, order))
        why: list[str] = []
        lab.client.generate_order_modify_rejected = lambda *words: why.append(words[4])
        if disk == "failed":
            lab.hooks.synced = failing
        else:
            lab.hooks.may_leave = lambda _order: "KILLED: it was closed"
        change = ModifyOrder(
            TRADER, STRATEGY, order.instrument_id, order.client_order_id, None, lab.instrument.make_qty(0.02), None,
            None, UUID4(), 0,
        )  # fmt: skip
        lab.client.modify_order(change)
        await lab.until(lambda: why)
        assert why == ["KILLED: it was closed" if disk == "works" else "JOURNAL_FAULT: sync failed"]
        assert asked == []

    asyncio.run(ClientLab(answers).run(steps))


def test_an_order_whose_task_is_canceled_while_it_waits_for_the_disk_is_rejected() -> None:
    """It was submitted and has not left, for certain: the journal does not leave it open."""

    async def steps(lab: ClientLab) -> None:
        lab.recorded.clear()
        order = lab.order("O-1")
        lab.submit(order)
        await lab.until(lambda: "OrderSubmitted" in lab.told)
        await lab.client.cancel_pending_tasks()
        await lab.until(lambda: not lab.client._leaving)
        assert (order.status_string(), lab.posts) == ("REJECTED", [])

    asyncio.run(ClientLab(posts_answered(never)).run(steps))
