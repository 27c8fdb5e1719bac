"""A venue of its own and one node on it, for showing what the engine's own adapter does: no run, no gate, no journal.

What the venue holds is the truth; what the node believes is asked of it. The market stands still unless it is moved.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

from tc.clock import Clock
from tc.drills.demo import DATASET, INSTRUMENT, RUN_ID, SYMBOL, DemoRun
from tc.drills.drill import Stage
from tc.drills.venue_port import Truth, VenuePort
from tc.durable import make_directory, remove_tree, write_artifact
from tc.errors import ChildFailed, TcError
from tc.model.reading import read_run_spec
from tc.runs.paper import VENUE
from tc.runs.paper_venue import OwnVenue
from tc.store.run_directory import RunDirectory, encode_document
from tc.supervise.child import Child

NODE = "tc.engine.plain_node"
BARS = 60
READY_S = 120.0
ANSWER_S = 30.0
POLL_S = 0.05
STOP_S = 5.0


class Books:
    """What the node believes, next to what the venue holds, at one moment."""

    def __init__(self, engine: Mapping[str, Any], truth: Truth, price: Decimal) -> None:
        self.engine = engine
        self.truth = truth
        self.price = price

    @property
    def held(self) -> Decimal:
        """What the venue holds, signed."""
        return self.truth.net().get(SYMBOL, Decimal(0))

    @property
    def net(self) -> Decimal:
        """What the node believes is held, signed."""
        return Decimal(self.engine["net"])

    @property
    def gross(self) -> Decimal:
        """The sum of every position in the node's books, long or short."""
        return sum((abs(Decimal(one["quantity"])) for one in self.engine["positions"]), Decimal(0))

    @property
    def fees(self) -> tuple[Decimal, Decimal]:
        """What the node believes was paid, and what was."""
        paid = sum((Decimal(one["fee"]) for one in self.truth.document["fills"]), Decimal(0))
        return Decimal(self.engine["fees"]), paid

    def heard(self, name: str) -> list[Mapping[str, str]]:
        """Return what the strategy heard of one kind."""
        return [one for one in self.engine["heard"] if one["event"] == name]

    def as_json(self) -> dict[str, Any]:
        """Return both, as they are kept."""
        names = ("client_order_id", "side", "status", "executed")
        venue = {
            "held": str(self.held),
            "wallet": self.truth.document["wallet"],
            "orders": [{name: str(one[name]) for name in names} for one in self.truth.orders],
        }
        return {"engine": dict(self.engine), "price": str(self.price), "venue": venue}


class DefectLab:
    """Venue and node below a scratch folder; `is_corrected` gives the node this product's client and configuration."""

    def __init__(
        self, setting: Mapping[str, Any], scratch: Path, log: Path, clock: Clock, *, is_corrected: bool
    ) -> None:  # fmt: skip
        self.is_corrected = is_corrected
        self.scratch = scratch
        self._setting = dict(setting)
        self._log = log
        self._clock = clock
        self._began_ns = clock.monotonic_ns()
        demo = DemoRun(Stage(), scratch / "keep", scratch, clock)
        self._roots = demo.roots
        self._spec = demo.spec()
        self._venue = OwnVenue(read_run_spec(json.dumps(self._spec).encode(), "the demo's spec"), self._roots, RUN_ID)
        run = RunDirectory(self._roots, RUN_ID)
        self._trace = run.scratch / VENUE
        self.venue = VenuePort(run)
        self._node: Child | None = None

    @property
    def now(self) -> float:
        """Seconds since the lab was made."""
        return (self._clock.monotonic_ns() - self._began_ns) / 1e9

    def start(self) -> None:
        """Start the venue and the node; return when the strategy may trade.

        Raises:
            ChildFailed: one of them did not start.
        """
        from tc.data.dataset_info import Source
        from tc.data.dataset_store import DatasetStore
        from tc.data.generation import GenerationOptions, generate

        for folder in (self._roots.runtime, self._trace.parent, self._log):
            make_directory(folder)
        options = GenerationOptions(seed=7, bars=BARS, gap_probability=0.0)
        DatasetStore(self._roots.runtime).save(
            DATASET, generate(options), price_precision=1, volume="base", synthetic=True,
            source=Source("generated", None, None, options.as_text()),
        )  # fmt: skip
        self._venue.prepare(None)
        self._venue.start()
        write_artifact(self._trace, encode_document(self._venue.trace()))
        keys = self._venue.keys()
        words = {
            **self._setting, "port": self._venue.port, "api_key": keys.api_key, "api_secret": keys.api_secret,
            "instrument": INSTRUMENT, "is_corrected": self.is_corrected, "spec": self._spec,
            "log": str(self._log),
        }  # fmt: skip
        self._node = Child([], NODE)
        self._node.tell(json.dumps(words).encode())
        if not self._node.wait_for("ready", READY_S)["ready"]:
            raise ChildFailed("the node did not start; its log says why")

    def node(self, do: str, **words: Any) -> Any:
        """Give the node a command and return its answer."""
        assert self._node is not None
        self._node.tell(json.dumps({"do": do, **words}).encode())
        return self._node.wait_for("answer", ANSWER_S)["answer"]

    def books(self) -> Books:
        """Return what both sides hold now."""
        return Books(self.node("books"), self.venue.truth(), self.price())

    def price(self) -> Decimal:
        """Return the last price at the venue."""
        return Decimal(self.venue.whole()["markets"][SYMBOL]["price"])

    def move(self, by: int) -> None:
        """Let the market trade that much higher."""
        self.venue.act("price", symbol=SYMBOL, price=str(self.price() + by))

    def human(self, **words: Any) -> None:
        """Let somebody else send an order on the account."""
        self.venue.act("order", account=self.venue.account, **{"symbol": SYMBOL, **words})

    def pause(self, seconds: float) -> None:
        """Let time pass."""
        self._clock.sleep(seconds)

    def until(self, condition: Callable[[], Any], within_s: float = 10.0) -> Any:
        """Return the first true value of a condition, None where there is none in time."""
        end = self.now + within_s
        while not (found := condition()):
            if self.now > end:
                return None
            self._clock.sleep(POLL_S)
        return found

    def bought(self, quantity: str = "0.010") -> None:
        """Let the node buy, and return when both sides have it.

        Raises:
            ChildFailed: they do not within ten seconds.
        """
        self.node("market", side="BUY", quantity=quantity)

        def is_there() -> bool:
            books = self.books()
            return books.held == books.net == Decimal(quantity)

        if self.until(is_there) is None:
            raise ChildFailed(f"the node did not hold {quantity} after a plain buy; found {self.books().as_json()}")

    def destroy(self) -> None:
        """End both and remove what they left."""
        if self._node is not None:
            self._node.kill()
            self._node.close()
        with suppress(TcError):
            self.venue.fault("clear")
        self._venue.stop()
        if self.scratch.is_dir():
            remove_tree(self.scratch)
