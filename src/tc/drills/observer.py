"""Watches the venue's ground truth from outside the node, as long as there is a venue, on the drill's own clock."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

from tc.clock import Clock
from tc.drills.venue_port import Truth, VenuePort
from tc.errors import ComponentFault, TcError

PERIOD_S = 0.02


@dataclass(frozen=True)
class Sample:
    """What the venue held at a moment: working orders, the sum of positions, how many orders and fills ever."""

    seconds: float
    working: int
    exposure: float
    orders: int
    fills: int

    @property
    def is_flat(self) -> bool:
        """Whether nothing worked and nothing was held."""
        return not self.working and not self.exposure

    def as_json(self) -> dict[str, Any]:
        """Return it as it is kept."""
        return {
            "t_s": round(self.seconds, 3), "working": self.working, "exposure": self.exposure, "orders": self.orders,
            "fills": self.fills,
        }  # fmt: skip


class Observer:
    """Looks fifty times a second; `began_ns` is the zero of the drill's clock."""

    def __init__(self, venue: VenuePort, clock: Clock, began_ns: int) -> None:
        self._venue = venue
        self._clock = clock
        self._began_ns = began_ns
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="observer", daemon=True)
        self.samples: list[Sample] = []
        self.last: Truth | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exit: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._is_over.wait(PERIOD_S):
            try:
                truth = self._venue.truth()
            except (TcError, ComponentFault):
                continue  # it is away, or ended with its run
            self.last = truth
            self.samples.append(
                Sample(
                    (self._clock.monotonic_ns() - self._began_ns) / 1e9, len(truth.working()), truth.exposure(),
                    len(truth.orders), len(truth.document["fills"]),
                )
            )  # fmt: skip

    def since(self, seconds: float) -> list[Sample]:
        """Return what was seen from a moment on."""
        return [one for one in self.samples if one.seconds >= seconds]

    def thinned_since(self, seconds: float) -> float | None:
        """Return how long after a moment less than half of what worked then did; None where that never was."""
        later = self.since(seconds)
        return next((one.seconds - seconds for one in later if 2 * one.working < later[0].working), None)

    def flat_since(self, seconds: float) -> float | None:
        """Return how long after a moment the account became flat for good; None where it did not."""
        found: float | None = None
        for one in self.since(seconds):
            if not one.is_flat:
                found = None
            elif found is None:
                found = one.seconds - seconds
        return found

    def gap_s(self) -> float:
        """Return the longest time between two looks."""
        times = [one.seconds for one in self.samples]
        return max((later - earlier for earlier, later in pairwise(times)), default=0.0)
