"""How a paper run looks on the terminal: one line that moves, what was started again, and the summary at the end."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tc.cli.output import print_json, print_lines, say

if TYPE_CHECKING:
    from tc.runs.paper import PaperEnd, PaperRequest, Watcher
    from tc.supervise.child import Child

_PARTS = {"loop": "loop", "order_path": "way to the venue"}


def run_paper_here(request: PaperRequest, *, as_json: bool, node: Child | None) -> int:
    """Run it in this terminal, with a node that loads already if there is one, and return the exit code."""
    from tc.runs.paper import run_paper

    with watching(is_quiet=as_json) as watcher:
        end = run_paper(request, watcher, node=node)
    return show_end(end, as_json=as_json)


def run_paper_apart(request: PaperRequest, *, as_json: bool) -> int:
    """Run it in a process of its own that outlives this terminal; return when it is running, or why it is not."""
    from tc.runs.paper_detach import start_detached

    started = start_detached(request)
    if as_json:
        print_json(started)
    else:
        print_lines(
            [
                f"{started['run_id']} is running, supervised by pid {started['pid']}",
                f"  watch it: tc runs attach {started['run_id']}",
                f"  end it:   tc runs stop {started['run_id']}",
            ]
        )
    return 0


@contextmanager
def watching(*, is_quiet: bool) -> Iterator[Watcher]:
    """Yield who is told what happens: a line that moves on a terminal, plain lines elsewhere."""
    if is_quiet or not sys.stderr.isatty():
        yield _tell_plainly
        return
    with PaperLine() as line:
        yield line.watch


def show_end(end: PaperEnd, *, as_json: bool) -> int:
    """Show how a run ended and return the exit code."""
    if end.result is None:
        return end.exit_code
    if as_json:
        print_json(end.result.as_json())
    else:
        from tc.cli.summary import print_summary

        print_summary(end.result)
    return end.exit_code


class PaperLine:
    """A line on stderr that shows bars, orders and fills as they come."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.status import Status

        self._console = Console(stderr=True, highlight=False)
        self._status = Status("starting venue and node", console=self._console)

    def __enter__(self) -> PaperLine:
        self._status.start()
        return self

    def __exit__(self, *_exit: object) -> None:
        self._status.stop()

    def watch(self, fact: dict[str, Any]) -> None:
        """Show one fact of the run."""
        text = words(fact)
        if fact.get("event") == "progress":
            self._status.update(text)
        elif text:
            self._console.print(text, style="dim")


def words(fact: dict[str, Any]) -> str:
    """Return a fact of the run in words; nothing for those that need none."""
    match fact.get("event"):
        case "created":
            return f"{fact['run_id']} in {fact['directory']}"
        case "running":
            again = f", start {fact['attempt']}" if fact["attempt"] > 1 else ""
            return f"{fact['run_id']} is running{again}; Ctrl-C ends it cleanly"
        case "progress":
            counts = fact["counts"]
            orders, fills = counts.get("OrderInitialized", 0), counts.get("OrderFilled", 0)
            total = f" of {fact['bars_total']:,}" if fact.get("bars_total") else ""
            return f"{fact['run_id']}: {fact['bars']:,}{total} bars, {orders:,} orders, {fills:,} fills"
        case "restart":
            done = (
                "is started once more to settle and seal"
                if fact["closing"]
                else f"is started again ({fact['attempt']})"
            )
            return f"the node ended with {fact['exit_code']} and {done}"
        case "waits":
            return f"the node waits {fact['wait_s']:g} s before it starts: {fact['detail']}"
        case "venue_restart":
            return "the venue was gone and is started again"
        case "stall" | "stale_data" | "node_ended" | "healthy" | "quarantine" | "venue_away" | "give_up":
            return watchdog_words(fact)
        case "dead_man" if fact["problem"]:
            return f"the dead-man countdown cannot be renewed: {fact['problem']}"
        case "cpu_bound" | "cpu_eased" | "health":
            return health_words(fact)
        case "agent_stall" | "agent_healthy" | "agent_ended" | "agent_dead" | "agent_lost":
            return agent_words(fact)
        case "takeover" if fact["stage"] == "canceled":
            done = f"{len(fact['canceled'])} orders canceled by the kill agent, since the journal takes no more"
            return f"{done}; left at the venue: {', '.join(fact['left']) or 'nothing'}"
        case "open":
            return f"the run stays open: {fact['reason']}"
        case _:
            return ""


def health_words(fact: dict[str, Any]) -> str:
    """Return what a health check found in words; nothing where all is well, or was told already."""
    if fact["event"] == "health":
        return f"health check: {'; '.join(fact['problems'])}" if fact["problems"] else ""
    return f"the node uses {fact['percent']} % of a core; its bound is {fact['bound']} %"


def agent_words(fact: dict[str, Any]) -> str:
    """Return what the watchdog noticed of the kill agent in words."""
    match fact["event"]:
        case "agent_stall":
            return f"the kill agent's {_PARTS[fact['part']]} did nothing for {fact['age_s']:g} s"
        case "agent_healthy":
            return f"the kill agent's {_PARTS[fact['part']]} works again"
        case "agent_ended":
            return f"the kill agent did nothing for {fact['age_s']:g} s and is ended"
        case "agent_lost":
            return f"the kill agent ended with {fact['exit_code']} after {fact['restarts']} restarts: the run ends"
        case _:
            return f"the kill agent ended with {fact['exit_code']}, restart {fact['restarts']}"


def watchdog_words(fact: dict[str, Any]) -> str:
    """Return what the watchdog noticed in words."""
    match fact["event"]:
        case "stall":
            where = f" in {fact['at']}; stacks: {fact['stack']}" if fact.get("stack") else ""
            return f"{fact['part']} did nothing for {fact['age_s']:g} s{where}"
        case "stale_data":
            return f"no market data for {fact['age_s']:g} s: no new risk is taken until a person resumes it"
        case "node_ended":
            return f"{fact['part']} did nothing for {fact['age_s']:g} s: the node is ended"
        case "healthy":
            return f"{fact['part']} works again"
        case "quarantine":
            return f"the node ended with {fact['exit_code']}; nothing trades for {fact['wait_s']:g} s"
        case "venue_away":
            return f"the node is not started before the venue answers: {fact['detail']}"
        case _:
            return f"GIVEN UP after {fact['restarts']} restarts: the node ended with {fact['exit_code']}"


def _tell_plainly(fact: dict[str, Any]) -> None:
    text = words(fact)
    if text and fact.get("event") != "progress":
        say(text + "\n")
