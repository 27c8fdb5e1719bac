"""The control port of the venue that a run trades at: the ground truth, and the hand that breaks things there."""

from __future__ import annotations

import http.client
import json
from decimal import Decimal
from typing import Any

from tc.errors import ComponentFault, NotFound
from tc.runs.paper import VENUE
from tc.runs.paper_venue import HOST, venue_directory
from tc.store.run_directory import RunDirectory, trace_of

TIMEOUT_S = 20.0
WORKING = ("NEW", "PARTIALLY_FILLED")


class VenueAway(ComponentFault):
    """The control port does not answer: the venue is down, or ended with its run."""


class VenuePort:
    """Speaks to the control port of a run's own venue, wherever that listens now."""

    def __init__(self, run: RunDirectory) -> None:
        self._run = run
        self._token_path = venue_directory(run.roots, run.run_id) / "state" / "control.token"

    def require(self) -> None:
        """Return if there is one.

        Raises:
            NotFound: the run's venue is somebody else's, or is gone.
        """
        if not trace_of(self._run, VENUE).get("control_port") or not self._token_path.is_file():
            raise NotFound(
                f"run {self._run.run_id} has no venue of its own with a control port, which drills break and observe; "
                "drill a run whose spec leaves venue.endpoint out"
            )

    @property
    def account(self) -> str:
        """The account that the run trades on."""
        return str(trace_of(self._run, VENUE).get("account", "main"))

    def fault(self, kind: str, **words: Any) -> dict[str, Any]:
        """Arm a fault."""
        return dict(self._ask("POST", "/fault", {"kind": kind, **words}))

    def act(self, kind: str, **words: Any) -> dict[str, Any]:
        """Do something to the market or an account."""
        return dict(self._ask("POST", "/action", {"kind": kind, **words}))

    def truth(self) -> Truth:
        """Return what the venue holds."""
        return Truth(self._ask("GET", f"/truth?account={self.account}"))

    def whole(self) -> dict[str, Any]:
        """Return what the venue holds of every account and market."""
        return dict(self._ask("GET", "/truth"))

    def status(self) -> dict[str, Any]:
        """Return sockets, armed faults and how far the feed is."""
        return dict(self._ask("GET", "/status"))

    def requests(self) -> list[dict[str, Any]]:
        """Return the last requests that the venue got."""
        return list(self._ask("GET", "/requests"))

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        trace = trace_of(self._run, VENUE)
        try:
            token = self._token_path.read_text().strip()
            connection = http.client.HTTPConnection(HOST, trace["control_port"], timeout=TIMEOUT_S)
            try:
                data = None if body is None else json.dumps(body)
                connection.request(method, path, body=data, headers={"Authorization": f"Bearer {token}"})
                response = connection.getresponse()
                answer = json.loads(response.read())
            finally:
                connection.close()
        except (OSError, KeyError, ValueError, http.client.HTTPException) as error:
            raise VenueAway(f"{method} {path}: the venue's control port does not answer ({error!r})") from None
        if response.status != http.client.OK:
            raise ComponentFault(f"the venue refused {method} {path} {body or ''}: {answer}")
        return answer


class Truth:
    """One account as the venue has it."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document

    @property
    def orders(self) -> list[dict[str, Any]]:
        """Every order, conditional ones apart."""
        return list(self.document["orders"])

    def working(self) -> list[str]:
        """Return the client ids of what works, conditional orders among them."""
        found = [str(one["client_order_id"]) for one in self.orders if one["status"] in WORKING]
        return found + [
            str(one.get("client_algo_id", one.get("client_order_id")))
            for one in self.document["algo_orders"]
            if one["status"] == "NEW"
        ]

    def net(self) -> dict[str, Decimal]:
        """Return the positions that are not flat."""
        found = {name: Decimal(row["quantity"]) for name, row in self.document["positions"].items()}
        return {name: quantity for name, quantity in found.items() if quantity}

    def exposure(self) -> float:
        """Return the sum of what is held, long or short, in units of the instruments."""
        return float(sum(map(abs, self.net().values())))

    def equity(self) -> Decimal:
        """Return what the account is worth: its wallet and what its positions are ahead or behind."""
        rows = self.document["positions"].values()
        return Decimal(self.document["wallet"]) + sum((Decimal(row["unrealized"]) for row in rows), Decimal(0))

    @property
    def is_flat(self) -> bool:
        """Whether nothing works and nothing is held."""
        return not self.working() and not self.net()

    def twice(self) -> int:
        """Return how many client ids stand for more than one order."""
        names = [one["client_order_id"] for one in self.orders]
        return len(names) - len(set(names))
