"""What a handler gets: who asks, with what, and the venue to ask; and how a route is described."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tc.venue.desk import Desk
from tc.venue.exchange import refusal
from tc.venue.exchange.account import Account
from tc.venue.exchange.exchange import Exchange
from tc.venue.exchange.market import Market
from tc.venue.exchange.refusal import Refusal
from tc.venue.exchange.state import State
from tc.venue.history import History
from tc.venue.server.fault import FaultBook
from tc.venue.server.hub import Hub
from tc.venue.server.parameter import Parameters, Refused
from tc.venue.server.rate_limit import Limits
from tc.venue.setting import AccountSetting

Security = Literal["none", "key", "signed"]


@dataclass(frozen=True, slots=True)
class Site:
    """The parts of a running venue."""

    desk: Desk
    hub: Hub
    faults: FaultBook
    histories: Mapping[str, History]
    limits: Limits


@dataclass(frozen=True, slots=True)
class Call:
    """One request, authenticated as far as its route asks for."""

    site: Site
    owner: AccountSetting | None
    parameters: Parameters
    now_ms: int

    @property
    def exchange(self) -> Exchange:
        """The exchange."""
        return self.site.desk.exchange

    @property
    def state(self) -> State:
        """What the exchange holds."""
        return self.site.desk.state

    @property
    def name(self) -> str:
        """The name of the account that asks."""
        assert self.owner is not None, "a route without authentication asked for an account"
        return self.owner.name

    @property
    def account(self) -> Account:
        """The account that asks."""
        return self.state.accounts[self.name]

    def market(self) -> Market:
        """Return the market of the parameter `symbol`."""
        market = self.state.markets.get(self.parameters.text("symbol"))
        if market is None:
            raise Refused(refusal.BAD_SYMBOL)
        return market

    def market_if_named(self) -> Market | None:
        """Return the market of the parameter `symbol`, None where it was not sent."""
        return self.market() if self.parameters.has("symbol") else None


Handler = Callable[[Call], Any]


@dataclass(frozen=True, slots=True)
class Route:
    """How a request is answered: with what the handler returns, or the refusal it returns or raises."""

    handler: Handler
    security: Security
    weight: int
    orders: int = 0


Routes = Mapping[tuple[str, str], Route]


def answer(route: Route, call: Call) -> Any:
    """Return what a request is answered with: a JSON value or a Refusal."""
    try:
        return route.handler(call)
    except Refused as refused:
        return refused.refusal


def checked[T](result: T | Refusal) -> T:
    """Return a result of the exchange; raise Refused where it is a refusal."""
    if isinstance(result, Refusal):
        raise Refused(result)
    return result
