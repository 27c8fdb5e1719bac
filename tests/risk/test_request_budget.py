"""What a client may ask of its venue: four fifths for a node, by need, and never while the venue says wait."""

from __future__ import annotations

import pytest

from tc.risk.request_budget import NODE_SHARES, Cost, Need, RequestBudget, cost_of
from tc.venue.server.app import ROUTES

MINUTE = 60_000
NOW = 1_000 * MINUTE + 5_000


def taken(budget: RequestBudget, need: Need, cost: Cost, now_ms: int = NOW) -> int:
    """Return how many of these leave before one is held back."""
    count = 0
    while budget.take(need, cost, now_ms) is None:
        count += 1
    return count


def test_every_request_costs_here_what_the_venue_counts_for_it() -> None:
    """Our own table of costs is the loopback venue's, whose weights are Binance's."""
    mine = {key: (cost_of(*key).weight, cost_of(*key).orders) for key in ROUTES if "test" not in key[1]}
    assert mine == {key: (route.weight, route.orders) for key, route in ROUTES.items() if "test" not in key[1]}


def test_risk_stops_first_and_everything_at_four_fifths() -> None:
    """New orders use 70 % of a window, questions 75 %, cancels and reductions 80 %: the rest is the kill agent's."""
    budget = RequestBudget(NODE_SHARES)
    assert taken(budget, Need.RISK, Cost(1)) == 1_680
    assert taken(budget, Need.LOOK, Cost(1)) == 120
    assert taken(budget, Need.SAFE, Cost(1)) == 120
    held = budget.take(Need.SAFE, Cost(1), NOW)
    assert held is not None
    assert (held.wait_ms, held.reason) == (
        55_000, "VENUE_RATE: 1920 of 2400 weight a minute are used, and only 80% are for this"
    )  # fmt: skip
    assert budget.take(Need.RISK, Cost(1), NOW + held.wait_ms) is None


def test_orders_are_counted_in_both_their_windows() -> None:
    """300 in ten seconds and 1,200 a minute: a new order takes 70 % of either."""
    budget = RequestBudget(NODE_SHARES)
    assert [taken(budget, Need.RISK, Cost(0, 1), NOW + s * 1_000) for s in range(0, 50, 10)] == [210, 210, 210, 210, 0]
    assert budget.describe(NOW + 40_000)["orders_1m"] == {"used": 840, "limit": 1_200}


def test_what_others_used_is_learned_from_the_venue() -> None:
    """The venue's own count is of the account, whoever asked; an answer of the last window says nothing of this one."""
    budget = RequestBudget(NODE_SHARES)
    budget.answered(200, None, {"X-MBX-USED-WEIGHT-1M": "1679"}, NOW, NOW)
    assert taken(budget, Need.RISK, Cost(1)) == 1
    late = RequestBudget(NODE_SHARES)
    late.answered(200, None, {"X-MBX-USED-WEIGHT-1M": "2300"}, NOW - 5_001, NOW)
    assert late.take(Need.RISK, Cost(1), NOW) is None


def test_limits_are_those_that_the_venue_names() -> None:
    """exchangeInfo tells them."""
    budget = RequestBudget(NODE_SHARES)
    budget.learn([{"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 100}])
    assert taken(budget, Need.SAFE, Cost(1)) == 80


@pytest.mark.parametrize("shares", [NODE_SHARES, None])
def test_nothing_is_sent_while_the_venue_says_wait(shares: dict[Need, object] | None) -> None:
    """After 429 its Retry-After is kept, by whoever kills too: going on regardless would end in a ban."""
    budget = RequestBudget(shares)  # type: ignore[arg-type]
    budget.answered(429, -1003, {"retry-after": "3"}, NOW, NOW)
    held = budget.take(Need.SAFE, Cost(1), NOW + 1_000)
    assert held is not None
    assert held.wait_ms == 2_000
    assert budget.take(Need.SAFE, Cost(1), NOW + 3_000) is None


def test_too_many_orders_hold_no_cancel() -> None:
    """-1015 is about orders: what cancels goes on."""
    budget = RequestBudget(None)
    budget.answered(429, -1015, {"Retry-After": "5"}, NOW, NOW)
    assert budget.take(Need.SAFE, cost_of("DELETE", "/fapi/v1/order"), NOW) is None
    assert budget.take(Need.SAFE, cost_of("POST", "/fapi/v1/order"), NOW) is not None


def test_without_shares_only_the_venue_holds_back() -> None:
    """A kill agent counts, and stops at nothing but the venue's own word."""
    budget = RequestBudget(None)
    assert all(budget.take(Need.SAFE, Cost(30), NOW) is None for _ in range(1_000))


def test_what_is_left_lasts_for_who_must_go_on_looking() -> None:
    """With a quarter left nobody waits; with a fifth looks come so often that it lasts, once a second at least."""
    budget = RequestBudget()
    budget.count(Cost(1_800), NOW)
    assert budget.pace_ms(17, NOW) == 0
    budget.count(Cost(120), NOW)
    assert budget.pace_ms(7, NOW) == 55_000 * 7 // 480
    assert budget.pace_ms(17, NOW) == 1_000
    assert budget.pace_ms(17, NOW + 55_000) == 0
