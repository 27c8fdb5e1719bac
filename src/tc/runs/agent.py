"""The kill agent of a paper run: a small process with its own keys and venue client, armed before the node may trade.

It watches the latches, and kills when one closes or a trigger of the spec fires. It needs neither the node nor the
supervisor nor a disk that writes, and does not end before the account is flat.
"""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable
from typing import Any

from tc.alert.alert import AlertKind
from tc.alert.desk import AlertDesk, log_of
from tc.alert.sinks import sinks_of
from tc.clock import Clock, iso_utc, parse_utc_ns
from tc.durable import Entry, lock_holder, make_directory, process_start_time, write_artifact
from tc.errors import ComponentFault, StorageError, TcError
from tc.model.heartbeat import IS_ARMED, IS_KILLING, Slot
from tc.runs.agent_beat import AgentBeat, KillingClock
from tc.runs.agent_takeover import FLATTEN, Takeover
from tc.runs.dead_man import DeadMan
from tc.runs.kill_call import CallPost
from tc.runs.kill_hands import Hands
from tc.runs.kill_note import LATCH_S, KillNotes, LatchClosing, holds
from tc.runs.kill_order import AGENT, CALL_SIGNAL, KillOrder
from tc.runs.kill_tail import JournalTail
from tc.runs.kill_work import KillWork
from tc.runs.run_alert import STALE, RunAlerts
from tc.store.kill_latch import CLOSED, CONFIRMED, INCOMPLETE, TAKEN, KillLatch, LatchState, in_few_words
from tc.store.run_directory import JOURNAL, encode_document
from tc.supervise.command import run_command
from tc.supervise.lifeline import Lifeline

POLL_S = 0.02
EQUITY_S = 2.0
UNREADABLE_MAX = 3
"""So often in a row a latch must be unreadable, or without history, to count as closed for who is running already."""
BY = "kill agent"

Say = Callable[[dict[str, Any]], None]


class Agent:
    """One armed agent; `lifeline` ends when the supervisor does."""

    def __init__(self, order: KillOrder, lifeline: Lifeline, say: Say, clock: Clock) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, {CALL_SIGNAL})  # in every thread: it is waited for in `watch`
        self._order = order
        self._run = order.run
        self._say = say
        self._clock = clock
        self._lifeline = lifeline
        self._latch = KillLatch.of_run(self._run.roots, order.run_id)
        self._account = KillLatch.of_account(order.endpoint.http, order.api_key)
        self._latches = (self._latch, self._account, KillLatch.of_all())
        self._handled: set[tuple[str, int]] = set()
        self._unreadable = 0
        self._half: dict[str, int] = {}
        self._tail = JournalTail(self._run.file(JOURNAL), self._take_entry)
        self._began_ns = clock.now_ns()
        self._alerts = RunAlerts(_desk(order, clock), str(self._run.path))
        self._trigger = order.trigger_machine()
        self._fired: str | None = None
        self._is_orphan = self._has_run = False
        self._confirmed: dict[str, Any] | None = None
        self._post = CallPost(self._run.scratch)
        self._closings_due: dict[str, LatchClosing] = {}
        self._notes: list[KillNotes] = []
        self._beat: AgentBeat | None = None
        self._dead_man: DeadMan | None = None
        self._takeover: Takeover | None = None

    def arm(self) -> None:
        """Show the venue the keys, and say where we are.

        Raises:
            ComponentFault: the venue does not know them, or is not there.
        """
        hands = Hands(self._order, self._clock)
        try:
            hands.authenticate()
        finally:
            hands.close()
        make_directory(self._run.scratch)
        trace = {
            "pid": os.getpid(), "start_time": process_start_time(os.getpid()), "armed": True,
            "since": iso_utc(self._clock.now_ns()),
        }  # fmt: skip
        write_artifact(self._run.scratch / AGENT, encode_document(trace))
        for _ in range(0 if self._order.is_again else UNREADABLE_MAX + len(self._latches)):
            self._call()  # closed before: the node is refused, and there is nothing to kill
        if self._order.journal_fault is not None:
            self._take_over(self._order.journal_fault)
        threading.Thread(target=self._watch, name="lifeline", daemon=True).start()
        if self._order.triggers.get("total_drawdown") is not None:
            threading.Thread(target=self._watch_equity, name="equity", daemon=True).start()
        self._beat = AgentBeat(self._order, self._clock)
        self._beat.begin()
        if self._order.dead_man_s is not None:
            self._dead_man = DeadMan(self._order, self._order.dead_man_s, self._beat, self._say, self._clock)
            self._dead_man.begin()
        self._say({"event": "armed", "pid": os.getpid()})

    def watch(self) -> None:
        """Return when the run is over: sealed, or without node and supervisor."""
        beat = self._beat
        assert beat is not None, "it was armed"
        try:
            while not self._is_done():
                self._tail.read()
                call = self._post.take() or self._call() or self._triggered()
                if call is not None:
                    self._kill(call)
                beat.turn()
                signal.sigtimedwait({CALL_SIGNAL}, POLL_S)  # whoever closes our latch calls
        finally:
            beat.end()
            if self._dead_man is not None and self._run.is_sealed:
                self._dead_man.end()
            self._alerts.close()

    def _is_done(self) -> bool:
        self._notes = [each for each in self._notes if not each.is_done]
        if self._notes or not all(each.is_done for each in self._closings_due.values()):
            return False  # the disk does not take what a kill has to leave behind
        if self._run.is_sealed:
            return True
        if self._takeover is not None and not self._takeover.is_done:
            return False
        self._has_run |= (is_running := lock_holder(self._run.lock_path) is not None)
        if not self._is_orphan or is_running or not self._has_run:
            return False
        if self._confirmed is not None:
            return True
        what = "supervisor and node are gone, and what the run holds is at the venue"
        self._alerts.raise_alert(AlertKind.node_dead, what)
        self._fired = self._fired or self._trigger.take_loss(what)
        call = self._triggered()
        if call is None:
            return True
        self._kill(call)
        return False  # before what it leaves behind is written

    def _triggered(self) -> dict[str, Any] | None:
        """Return by what the run is to be killed without an operator; once, and not where it is killed already."""
        fired, self._fired = self._fired, None
        if fired is None or self._latch.state() is not None:
            return None
        return {"by": BY, "reason": in_few_words(fired)}

    def _take_over(self, reason: str) -> None:
        """Do what `on_fault` says for a node that sends nothing any more, since its journal takes nothing."""
        if self._order.on_fault == FLATTEN:
            self._fired = self._fired or f"JOURNAL_FAULT: {reason}"
        elif self._takeover is None:
            self._takeover = Takeover(self._order, self._tail.own, self._tell_takeover, self._clock)

    def _tell_takeover(self, stage: str, facts: dict[str, Any]) -> None:
        self._say({"event": "takeover", "stage": stage, **facts})
        if stage == "canceled" and facts["left"]:
            what = f"the journal takes no more and the run ends; left at the venue: {', '.join(facts['left'])}"
            self._alerts.raise_alert(AlertKind.position_left, what)

    def _take_entry(self, entry: Entry) -> None:
        if entry.ts < self._began_ns:
            return  # told by whoever was there then
        self._alerts.take_entry(entry)
        fired: str | None = None
        if entry.type == "OrderAccepted":
            fired = self._trigger.take_order(is_error=False)
        elif entry.type == "OrderRejected" and not entry.payload().get("due_post_only"):
            fired = self._trigger.take_order(is_error=True)
        elif entry.type == "StoodDown" and str(entry.payload()["reason"]).startswith(STALE):
            fired = self._trigger.take_stale_data(str(entry.payload()["reason"]))
        elif entry.type == "ReconciliationBreak":
            fired = self._trigger.take_break(str(entry.payload()["subject"]))
        self._fired = self._fired or fired

    def _watch_equity(self) -> None:
        hands = Hands(self._order, self._clock)
        while True:
            self._clock.sleep(EQUITY_S)
            try:
                fired = self._trigger.take_equity(hands.equity())
            except TcError:
                continue  # the venue is away; the feed's age is somebody else's business
            self._fired = self._fired or fired

    def _call(self) -> dict[str, Any] | None:
        """Return by whom and why a latch was closed that we have not acted on yet."""
        for latch in self._latches:
            state = latch.state()
            if state is None:
                continue
            if not state.is_readable:
                self._unreadable += 1
                if self._unreadable < UNREADABLE_MAX:
                    return None
            closings = self._closings(latch)
            mark = (latch.name, len(closings))
            if mark in self._handled or self._is_half_closed(state, closings):
                continue
            self._handled.add(mark)
            return {"by": state.by or BY, "reason": state.reason, **(closings[-1].payload() if closings else {})}
        self._unreadable = 0
        return None

    def _is_half_closed(self, state: LatchState, closings: list[Entry]) -> bool:
        """Return whether its history lacks still what is to be killed; a history that hangs is not waited for."""
        if not state.is_readable:
            return False
        since_ns = parse_utc_ns(state.since)
        if since_ns < self._began_ns or (closings and closings[-1].ts >= since_ns):
            return False
        now_ns = self._clock.monotonic_ns()
        return now_ns - self._half.setdefault(state.since, now_ns) < LATCH_S * 1e9

    def _closings(self, latch: KillLatch) -> list[Entry]:
        try:
            return [entry for entry in latch.history() if entry.type == CLOSED]
        except StorageError:
            return []

    def _kill(self, call: dict[str, Any]) -> None:
        assert self._beat is not None, "it was armed"
        if self._confirmed is not None and not call.get("include_foreign"):
            self._confirm_again(self._confirmed)
            return
        if self._takeover is not None:
            self._takeover.end()
        self._beat.write(Slot.IS_WATCHED, IS_KILLING)
        try:
            self._carry_out(call, KillingClock(self._clock, self._beat))
        finally:
            self._beat.write(Slot.IS_WATCHED, IS_ARMED)

    def _carry_out(self, call: dict[str, Any], clock: Clock) -> None:
        by, reason = str(call["by"]), str(call["reason"])
        notes = KillNotes(self._latch, self._clock)
        self._notes.append(notes)

        def tell(stage: str, facts: dict[str, Any]) -> None:
            if stage == "confirmed":
                return  # told with what was found
            self._tell(stage, facts)
            self._post.tell(stage, facts)
            if stage == "incomplete":
                notes.add(INCOMPLETE, facts)

        work = KillWork(
            self._order, clock, tell, include_foreign=bool(call.get("include_foreign")), gives_up_s=None,
            tail=self._tail,
        )  # fmt: skip
        is_latched = self._close(self._latch, by, reason)
        work.ask()  # the account stays locked while its node ends: nobody trades there before its latch is closed, too
        self._tell("taken", {"by": by, "reason": reason})
        self._post.tell("taken", {})
        notes.add(TAKEN, {"who": BY, "pid": os.getpid(), "account": self._account.name})
        is_latched = self._close(self._account, by, reason) and is_latched
        try:
            found = work.carry_out()
        except ComponentFault as fault:  # the run ended with its venue, and there is nothing left to try
            tell("incomplete", {"reason": str(fault)})
            notes.close()
            return
        found.is_latched = is_latched or all(holds(latch) for latch in (self._latch, self._account))  # by now
        self._confirmed = found.as_json()
        notes.add(CONFIRMED, self._confirmed)
        notes.close()
        self._tell("confirmed", {"seconds": found.seconds})
        self._post.tell("confirmed", self._confirmed)
        self._post.forget()

    def _confirm_again(self, confirmed: dict[str, Any]) -> None:
        """Answer who kills what is killed: nobody has traded since, and a node that seals the run goes on."""
        notes = KillNotes(self._latch, self._clock)
        self._notes.append(notes)
        notes.add(TAKEN, {"who": BY, "pid": os.getpid(), "account": self._account.name})
        notes.add(CONFIRMED, confirmed)
        notes.close()
        self._post.tell("taken", {})
        self._post.tell("confirmed", confirmed)
        self._post.forget()

    def _tell(self, stage: str, facts: dict[str, Any]) -> None:
        self._say({"event": "kill", "stage": stage, **facts})
        self._alerts.take_kill(stage, facts)

    def _close(self, latch: KillLatch, by: str, reason: str) -> bool:
        """Close a latch that is not closed, and return whether it is now; what cannot be closed now is tried on."""
        if holds(latch):
            return True
        problem = self._closing(latch, by, reason).problem()
        if problem is None:
            return True
        self._say({"event": "not_latched", "latch": latch.name, "reason": problem})
        what = f"NOT LATCHED: {problem}; it is tried again until it is"
        self._alerts.raise_alert(AlertKind.not_latched, what, key=latch.name)
        return False

    def _closing(self, latch: KillLatch, by: str, reason: str) -> LatchClosing:
        known = self._closings_due.get(latch.name)
        if known is not None and not known.is_done:
            return known
        closings = len(self._closings(latch))
        self._handled |= {(latch.name, closings), (latch.name, closings + 1)}  # ours is no call to kill

        def on_closed() -> None:
            self._say({"event": "latched", "latch": latch.name})
            self._alerts.clear(AlertKind.not_latched, latch.name)

        run_id = self._order.run_id
        closing = LatchClosing(latch, by, reason, self._clock, on_closed, run_id=run_id)
        self._closings_due[latch.name] = closing
        return closing

    def _watch(self) -> None:
        while (line := self._lifeline.next_line()) is not None:
            self._take_over(str(json.loads(line)["journal_fault"]))
        self._is_orphan = True
        self._say({"event": "orphan"})
        if not self._run.is_sealed:
            what = "the supervisor is gone; the node takes no new risk and keeps its stops"
            self._alerts.raise_alert(AlertKind.supervisor_dead, what)


def _desk(order: KillOrder, clock: Clock) -> AlertDesk:
    folder = order.run.roots.alerts
    log = log_of(folder, order.run_id)
    sinks = sinks_of(order.alerts, os.environ, log, run=run_command)
    return AlertDesk(folder, sinks, run_id=order.run_id, clock=clock)
