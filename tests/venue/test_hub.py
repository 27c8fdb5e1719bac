"""Listen keys over an hour that takes no time."""

from __future__ import annotations

from typing import Any

from support.venue_lab import Lab
from tc.clock import SYSTEM_CLOCK
from tc.venue.desk import Desk
from tc.venue.server.fault import FaultBook
from tc.venue.server.hub import LISTEN_KEY_MS, Hub


class Nowhere:
    """Keeps nothing."""

    def record(self, events: Any) -> None:
        """Drop events."""


def test_a_listen_key_ends_after_an_hour_unless_it_is_kept() -> None:
    """The same account gets the same key while it is good, and asking again keeps it; then it is nobody's."""
    hub = Hub(Desk(Lab().exchange, Nowhere(), SYSTEM_CLOCK), FaultBook())
    key = hub.open_key("alice", 0)
    assert hub.open_key("alice", LISTEN_KEY_MS - 1) == key != hub.open_key("bob", 0)
    hub.expire_keys(LISTEN_KEY_MS + 1)
    assert (hub.account_of(key), len(hub.listen_keys)) == ("alice", 1)
    hub.expire_keys(2 * LISTEN_KEY_MS)
    assert hub.account_of(key) == ""
    assert hub.open_key("alice", 2 * LISTEN_KEY_MS) != key
