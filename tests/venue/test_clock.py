"""The client of kill agent and commands where this machine's clock is another than the venue's."""

from __future__ import annotations

import pytest

from support.venue_process import VenueProcess
from tc.clock import SystemClock
from tc.model.endpoint import ApiKeys, LoopbackEndpoint
from tc.venue.client import VenueClient


class WrongClock(SystemClock):
    """The machine's clock, off by seconds that may change."""

    def __init__(self) -> None:
        self.off_s = 0

    def now_ns(self) -> int:
        """Return the wrong wall clock."""
        return super().now_ns() + self.off_s * 1_000_000_000


@pytest.mark.parametrize("off_s", [-5, 5])
def test_a_client_with_a_wrong_clock_is_answered_by_the_venue_s_time(venue: VenueProcess, off_s: int) -> None:
    """A question that was refused for its time is asked again by the venue's; also when the clock is set right."""
    clock = WrongClock()
    keys = ApiKeys("alpha-key-canary", "alpha-secret-canary")
    with VenueClient(LoopbackEndpoint("127.0.0.1", venue.port), keys, clock=clock) as client:
        assert client.account()
        clock.off_s = off_s
        assert client.account()
        clock.off_s = 0
        assert client.account()
