"""The work of a kill: let the node end flat, or end it and make the account flat without it, and hear the venue say so.

Whoever does it has closed the latch before. Every time is taken on one monotonic clock, from the moment it began.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tc.clock import Clock
from tc.durable import LockHolder, lock_holder, read_entries
from tc.errors import ComponentFault, TcError
from tc.risk.kill_machine import Cancel, Close, Flat, next_steps
from tc.runs.kill_hands import Hands
from tc.runs.kill_order import KillOrder
from tc.runs.kill_tail import STRANGER, JournalTail
from tc.store.run_directory import JOURNAL
from tc.supervise.process import end_process, signal_process

KILL_SIGNAL = signal.SIGUSR2
ANSWER_S = 0.8
"""How long the node may take to close its own latch before it is killed."""
NODE_S = 8.0
"""How long it may take then to end flat."""
FLAT_S = 60.0
SETTLED_S = 7.5
"""Past the receive window of any order that left before, and 5 s: what is flat then stays flat."""
INCOMPLETE_S = 4.0
"""After so long without being flat it is said that the kill is incomplete, and again every so often."""
REPEAT_S = 30.0
POLL_S, PAUSE_S, PAUSE_S_MAX = 0.02, 0.05, 1.0

Tell = Callable[[str, dict[str, Any]], None]


@dataclass
class Killed:
    """What a kill did, and what the venue confirmed; `stages_s` says when, since it began."""

    run_id: str
    path: str = "node"  # who made it flat: the node, or we without it
    is_latched: bool = True
    canceled: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    foreign: tuple[str, ...] = ()
    is_flat: bool = False
    seconds: float = 0.0
    stages_s: dict[str, float] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return the facts."""
        return {**vars(self), "foreign": list(self.foreign)}


class KillWork:
    """One kill of one run.

    `tell` hears of every stage. With `gives_up_s` None it goes on until the account is flat, however long that takes.
    """

    def __init__(
        self, order: KillOrder, clock: Clock, tell: Tell, *, include_foreign: bool = False,
        gives_up_s: float | None = FLAT_S, tail: JournalTail | None = None,
    ) -> None:  # fmt: skip
        self._order = order
        self._run = order.run
        self._clock = clock
        self._tell = tell
        self._include_foreign = include_foreign
        self._gives_up_s = gives_up_s
        self._tail = tail or JournalTail(self._run.file(JOURNAL))
        self._began_ns = clock.monotonic_ns()
        self._told_ns: int | None = None
        self._fenced: set[tuple[int, int]] = set()
        self._asked: LockHolder | None = None
        self._asked_ns: int | None = None
        self._closings = 0
        self.found = Killed(order.run_id)

    def ask(self) -> None:
        """Ask the node to end flat, once; it does so while whoever calls this does something else."""
        self._tail.read()
        self._closings = self._tail.counts["KillLatchClosed"]
        self._asked = lock_holder(self._run.lock_path)
        self._asked_ns = self._clock.monotonic_ns()
        if self._asked is not None:
            signal_process(self._asked.pid, self._asked.start_time, KILL_SIGNAL)

    def carry_out(self) -> Killed:
        """Ask, fence where nobody answers, flatten, confirm.

        Raises:
            ComponentFault: KILL_INCOMPLETE: it is not confirmed flat in `gives_up_s`.
        """
        found, hands = self.found, Hands(self._order, self._clock)
        if self._asked_ns is None:
            self.ask()
        try:
            if not (self._is_heard() and self._ended_flat(hands)):
                found.path = "agent"
                self._flatten(hands)
        finally:
            hands.close()
        self._stage("confirmed")
        found.seconds = found.stages_s["flat"]
        return found

    def _is_heard(self) -> bool:
        """Return whether the node that was asked closed its latch in time, or is over already."""
        if self._asked is None or self._asked_ns is None:
            return self._run.is_sealed
        deadline_ns = self._asked_ns + int(ANSWER_S * 1e9)
        is_over = False
        while not is_over:
            is_over = self._clock.monotonic_ns() >= deadline_ns  # before the look: who was paused looks once more
            self._tail.read()
            if self._tail.counts["KillLatchClosed"] > self._closings:
                self._stage("delivered")
                return True
            if self._run.is_sealed:
                return True
            self._clock.sleep(POLL_S)
        return self._closings > 0  # it was told before, and is ending

    def _ended_flat(self, hands: Hands) -> bool:
        """Watch the venue while the node makes it flat; return whether it did in time."""
        deadline_ns = self._clock.monotonic_ns() + int(NODE_S * 1e9)
        flat_ns: int | None = None
        while not self._run.is_sealed:
            self._clock.sleep(PAUSE_S)  # first, too: a look costs the venue time that the node's own orders need
            now_ns = self._clock.monotonic_ns()
            try:
                self._tail.read()
                if not self._is_flat_now(hands):
                    flat_ns = None
                elif flat_ns is None:
                    flat_ns = now_ns
                    self._stage("flat", is_anew=True)
            except TcError:  # its venue ends with it; or it is being asked too often
                pass
            if flat_ns is not None and now_ns - flat_ns > SETTLED_S * 1e9:
                break
            if flat_ns is None:
                self._complain("its node has not ended flat yet")
                if now_ns > deadline_ns:
                    return False
            if lock_holder(self._run.lock_path) is None and not self._run.is_sealed:
                return False
        if self._run.is_sealed and self._order.is_own_venue:
            self._confirm_by_evidence()  # its venue ended with it
        else:
            try:
                if not self._is_flat_now(hands):
                    return False
            except TcError:  # nobody said so: it is asked again until somebody does
                return False
        self._stage("flat")
        self.found.is_flat = True
        return True

    def _is_flat_now(self, hands: Hands) -> bool:
        return isinstance(self._steps(hands)[0], Flat)

    def _steps(self, hands: Hands) -> list[Cancel | Close | Flat]:
        books = hands.books(self._tail.own)
        steps = next_steps(books, self._order.bounds(), include_foreign=self._include_foreign)
        if isinstance(steps[0], Flat):
            self.found.foreign = steps[0].foreign
        return steps

    def _fence(self) -> None:
        holder = lock_holder(self._run.lock_path)
        is_new = holder is not None and (holder.pid, holder.start_time) not in self._fenced
        if holder is not None and is_new:  # else it is gone but for what waits for a disk, and its lock with it
            end_process(holder.pid, holder.start_time, 0)
            self._fenced.add((holder.pid, holder.start_time))
        self._stage("fenced", is_anew=is_new)
        self._tail.read()  # what it wrote at last

    def _confirm_by_evidence(self) -> None:
        """Read what the venue said last, in the sealed run: what was the run's own, and what was not."""
        from tc.evidence.fold import fold_journal  # only here

        fold = fold_journal(read_entries(self._run.file(JOURNAL)))
        books = [entry for entry in read_entries(self._run.file(JOURNAL)) if entry.type == "VenueStateRecorded"]
        if not books:
            raise ComponentFault(f"KILL_INCOMPLETE: run {self._run.run_id} ended and its venue never said how")
        last = books[-1].payload()
        orders = [row["client_order_id"] for row in last["orders"]]
        own = [f"order {name}" for name in orders if name in self._tail.own]
        held = {
            one.contract.instrument_id.partition("-")[0] for one in fold.positions_open if one.strategy_id != STRANGER
        }
        own += [f"{row['quantity']} {name}" for name, row in last["positions"].items() if name in held]
        if own:
            raise ComponentFault(f"KILL_INCOMPLETE: run {self._run.run_id} ended and left {', '.join(own)}")
        foreign = [f"{row['quantity']} {name}" for name, row in last["positions"].items()]
        self.found.foreign = (*foreign, *(f"order {name}" for name in orders))

    def _flatten(self, hands: Hands) -> None:
        began_ns = self._clock.monotonic_ns()
        flat_ns: int | None = None
        pause_s, problem = PAUSE_S, "it was not flat in time"
        while True:
            try:
                self._fence()  # one that was starting had looked at the latch before it was closed
                steps = self._steps(hands)
                self._do(hands, steps)
                pause_s = PAUSE_S
            except TcError as fault:
                problem, flat_ns = str(fault), None
                pause_s = min(2 * pause_s, PAUSE_S_MAX)
            else:
                now_ns = self._clock.monotonic_ns()
                if not isinstance(steps[0], Flat):
                    flat_ns = None
                    continue
                if flat_ns is None:
                    flat_ns = now_ns
                    self._stage("flat", is_anew=True)
                if now_ns - flat_ns >= SETTLED_S * 1e9:
                    self._require_own_known()
                    self.found.is_flat = True
                    return
                pause_s = PAUSE_S_MAX
            if flat_ns is None:
                self._complain(problem, began_ns)
            self._clock.sleep(pause_s)

    def _complain(self, problem: str, flattening_since_ns: int | None = None) -> None:
        now_ns = self._clock.monotonic_ns()
        text = (
            f"KILL_INCOMPLETE: run {self._run.run_id} is latched, but its account is not confirmed flat: {problem}; "
            f"look at the venue and give `tc kill activate {self._run.run_id}` again"
        )
        since_ns, after_s = (self._told_ns, REPEAT_S) if self._told_ns else (self._began_ns, INCOMPLETE_S)
        if now_ns - since_ns > after_s * 1e9:
            self._told_ns = now_ns
            self._tell("incomplete", {"reason": text})
        if self._gives_up_s is None or flattening_since_ns is None:
            return
        if now_ns - flattening_since_ns > self._gives_up_s * 1e9:
            raise ComponentFault(text)

    def _require_own_known(self) -> None:
        if self._tail.problem is not None and self.found.foreign:
            raise ComponentFault(
                f"KILL_INCOMPLETE: run {self._run.run_id} has a journal that cannot be read ({self._tail.problem}), so "
                f"{', '.join(self.found.foreign)} may be its own; `--include-foreign` closes all of it"
            )

    def _do(self, hands: Hands, steps: list[Cancel | Close | Flat]) -> None:
        cancels = [step for step in steps if isinstance(step, Cancel)]
        closes = [step for step in steps if isinstance(step, Close)]
        if cancels:
            hands.cancel(cancels, self.found.canceled)
            self._stage("canceled", is_anew=True)
        if closes:
            hands.reduce(closes, self.found.closed)

    def _stage(self, name: str, *, is_anew: bool = False) -> None:
        if name in self.found.stages_s and not is_anew:
            return
        self.found.stages_s[name] = round((self._clock.monotonic_ns() - self._began_ns) / 1e9, 4)
        self._tell(name, {"seconds": self.found.stages_s[name]})
