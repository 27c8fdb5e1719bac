"""The venue that belongs to one paper run: made for it, kept over its restarts, removed when the run is sealed."""

from __future__ import annotations

import json
import os
import secrets
from decimal import Decimal
from pathlib import Path
from typing import Any

from tc.durable import make_directory, process_start_time, remove_tree, write_artifact
from tc.model.endpoint import ApiKeys
from tc.model.run_spec import RunSpec
from tc.model.value import decimal_text, split_money
from tc.runs.paper_order import ACCOUNT_OF_OWN_VENUE
from tc.store.roots import Roots
from tc.supervise.child import Child
from tc.venue.account_file import read_secret_file
from tc.venue.bar_path import TICKS

HOST = "127.0.0.1"
READY_S = 20.0
STOP_S = 10.0
KEY_BYTES = 24
STATE = "state"
TRUSTS_NOBODY = {"SSL_CERT_FILE": os.devnull}
"""It speaks to this machine alone, without TLS: it need not read whom the machine trusts, which takes it a while."""


def venue_directory(roots: Roots, run_id: str) -> Path:
    """Return where a run's own venue keeps its state."""
    return roots.runtime / "venues" / run_id


def remove_venue(roots: Roots, run_id: str) -> None:
    """Remove the state of a run's own venue: the run is sealed."""
    directory = venue_directory(roots, run_id)
    if directory.is_dir():
        remove_tree(directory)


class OwnVenue:
    """A child that plays the spec's datasets as a market with one account.

    Its keys lie beside its state with mode 0600, so that the run can be resumed by whoever may read them.
    """

    def __init__(self, spec: RunSpec, roots: Roots, run_id: str) -> None:
        self._spec = spec
        self._roots = roots
        self.directory = venue_directory(roots, run_id)
        self.account = spec.account or ACCOUNT_OF_OWN_VENUE
        self._child: Child | None = None
        self._is_played_out = False
        self.port = self.control_port = 0

    @property
    def key_file(self) -> Path:
        """The file that holds the API key."""
        return self.directory / "account.key"

    @property
    def secret_file(self) -> Path:
        """The file that holds the API secret."""
        return self.directory / "account.secret"

    def prepare(self, keys: ApiKeys | None) -> None:
        """Write the account with the given keys, or with made-up ones."""
        make_directory(self.directory)
        used = keys or ApiKeys(secrets.token_hex(KEY_BYTES), secrets.token_hex(KEY_BYTES))
        write_artifact(self.key_file, used.api_key.encode(), mode=0o600)
        write_artifact(self.secret_file, used.api_secret.encode(), mode=0o600)
        amount, _ = split_money(self._spec.venue.starting_balances[0])
        account = {
            "name": self.account,
            "key_file": self.key_file.name,
            "secret_file": self.secret_file.name,
            "deposit": decimal_text(amount),
        }
        write_artifact(self._accounts_file, json.dumps({"accounts": [account]}).encode(), mode=0o600)

    def keys(self) -> ApiKeys:
        """Return the keys of its account."""
        return ApiKeys(read_secret_file(self.key_file), read_secret_file(self.secret_file))

    def start(self) -> None:
        """Start it and return when clients may come; after the first time on the same ports.

        Raises:
            ChildFailed: it ended, or was not ready in time.
        """
        self._child = Child(["venue", "serve", *self._options()], is_apart=True, environment=TRUSTS_NOBODY)
        ready = self._child.wait_for("ready", READY_S)
        self.port, self.control_port = int(ready["port"]), int(ready["control_port"])

    def trace(self) -> dict[str, Any]:
        """Return how others find it: account, control port, and the process by pid and start time."""
        pid = 0 if self._child is None else self._child.pid
        return {
            "account": self.account,
            "control_port": self.control_port,
            "pid": pid,
            "start_time": process_start_time(pid) if pid else None,
        }

    def has_ended(self) -> bool:
        """Return whether it is gone though nobody stopped it."""
        return self._child is not None and self._child.exit_code() is not None

    def is_played_out(self) -> bool:
        """Return whether it said that it has no more data to play."""
        while self._child is not None and (line := self._child.next_line(0.0)) is not None:
            self._is_played_out |= "played_out" in line
        return self._is_played_out

    def leave(self) -> None:
        """Let it go on without us; whoever goes on with the run ends it."""
        if self._child is not None:
            self._child.leave()
            self._child = None

    def stop(self) -> None:
        """End it."""
        if self._child is not None:
            self._child.stop(STOP_S)
            self._child.close()
            self._child = None

    @property
    def _accounts_file(self) -> Path:
        return self.directory / "accounts.yaml"

    def _options(self) -> list[str]:
        spec = self._spec
        options = ["--accounts", str(self._accounts_file), "--state", str(self.directory / STATE)]
        options += ["--runtime-root", str(self._roots.runtime), "--hold", "--seed", str(spec.seed)]
        options += ["--port", str(self.port), "--control-port", str(self.control_port)]
        options += [
            "--speed",
            decimal_text(spec.data[0].speed or Decimal(1)),
            "--latency-ms",
            str(int(spec.venue.latency_ms.base)),
        ]
        options += ["--ticks", str(TICKS), "--fill-at-touch", decimal_text(spec.venue.fill_model.prob_fill_on_limit)]
        if spec.venue.funding_rate is not None:
            options += [f"--funding-rate={decimal_text(spec.venue.funding_rate)}"]
        for feed in spec.data:
            options += ["--symbol", self._symbol(feed.instrument_id, feed.dataset)]
        return options

    def _symbol(self, instrument_id: str, dataset: str) -> str:
        instrument = self._spec.instrument(instrument_id)
        filters = {
            "tick": instrument.price_increment,
            "lot": instrument.size_increment,
            "min_quantity": instrument.min_quantity,
            "max_quantity": instrument.max_quantity,
            "min_notional": None if instrument.min_notional is None else split_money(instrument.min_notional)[0],
            "maker": instrument.maker_fee,
            "taker": instrument.taker_fee,
        }
        given = [f"{name}={decimal_text(value)}" for name, value in filters.items() if value is not None]
        return f"{instrument.symbol}={dataset}," + ",".join(given)
