"""What the supervisor tells a node on its standard input: one line, keys included, never on a command line."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from tc.model.endpoint import ApiKeys, LoopbackEndpoint
from tc.store.roots import Roots

ACCOUNT_OF_OWN_VENUE = "main"
PLAYED_OUT = b'{"played_out": true}'
"""What a node that runs is told when the venue has no more data to play."""


@dataclass(frozen=True)
class NodeOrder:
    """One start of a node.

    `attempt` counts the starts of this run from 1; `is_closing` lets it settle what is open and seal the run at once.
    `is_own_venue` says that the venue is this run's alone. With `is_killed` it closes a run that was killed:
    it sends nothing, and seals it where it holds nothing any more, or the kill `is_confirmed`: the venue said flat.
    `give_up` says why the run is given up, which ends it as its spec says. `installed` is the installed_identity, which
    the supervisor has the time to read; empty where it did not.
    """

    run_id: str
    spec_path: str
    base: str
    artifacts: str
    runtime: str
    operator: str
    host: str
    port: int
    api_key: str = field(repr=False)
    api_secret: str = field(repr=False)
    is_own_venue: bool
    attempt: int = 1
    is_closing: bool = False
    is_killed: bool = False
    is_confirmed: bool = False
    give_up: str = ""
    installed: dict[str, Any] = field(default_factory=dict)

    @property
    def roots(self) -> Roots:
        """Where the run is kept."""
        return Roots(Path(self.artifacts), Path(self.runtime))

    @property
    def endpoint(self) -> LoopbackEndpoint:
        """Where the venue listens."""
        return LoopbackEndpoint(self.host, self.port)

    @property
    def keys(self) -> ApiKeys:
        """The keys of the account."""
        return ApiKeys(self.api_key, self.api_secret)

    def again(
        self, attempt: int, *, is_closing: bool = False, is_killed: bool = False, is_confirmed: bool = False,
        give_up: str = "",
    ) -> NodeOrder:  # fmt: skip
        """Return the order for another start of the same run."""
        return replace(
            self, attempt=attempt, is_closing=is_closing, is_killed=is_killed, is_confirmed=is_confirmed,
            give_up=give_up,
        )  # fmt: skip

    def to_line(self) -> bytes:
        """Return the order as one line of JSON."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_line(cls, line: bytes) -> NodeOrder:
        """Return the order in a line."""
        return cls(**json.loads(line))
