"""How a kill agent is told where no disk takes a latch, and who closes the latch later."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from support.venue_process import until
from tc.clock import SYSTEM_CLOCK
from tc.errors import InputError
from tc.runs.kill import kill_all, kill_run
from tc.runs.kill_call import CallPost, call_agent
from tc.runs.kill_note import KillNotes, LatchClosing, LatchClosingApart
from tc.store.kill_latch import KillLatch, in_few_words
from tc.store.roots import Roots

CALL = {"by": "Ada", "reason": "drill", "include_foreign": False}


def latch_of(folder: Path) -> KillLatch:
    """Return a latch whose folder a file stands in for."""
    roots = Roots.of(folder / "artifacts", folder / "runtime")
    roots.runtime.mkdir()
    roots.kill_switch.write_text("")
    return KillLatch.of_run(roots, "paper")


def test_who_calls_hears_every_stage_and_who_calls_late_how_far_it_is(tmp_path: Path) -> None:
    """The call arrives as it was given; what is told reaches everybody who called."""
    post = CallPost(tmp_path)
    heard: list[list[str]] = [[], []]

    def call(number: int) -> None:
        for one in call_agent(tmp_path, CALL, 5.0, SYSTEM_CLOCK):
            heard[number].append(one["stage"])

    first = threading.Thread(target=call, args=(0,), daemon=True)
    first.start()
    assert until(post.take) == CALL
    post.tell("taken", {})
    second = threading.Thread(target=call, args=(1,), daemon=True)
    second.start()
    until(lambda: heard == [["taken"], ["taken"]])
    post.tell("flat", {"seconds": 1.0})
    until(lambda: heard == [["taken", "flat"]] * 2)
    post.forget()
    assert post.take() is None


def test_where_no_agent_answers_nothing_is_heard(tmp_path: Path) -> None:
    """No agent at all: the caller goes on at once, and does the work itself."""
    assert list(call_agent(tmp_path, CALL, 5.0, SYSTEM_CLOCK)) == []


@pytest.mark.parametrize("kind", [LatchClosing, LatchClosingApart])
def test_a_latch_is_closed_as_soon_as_the_disk_takes_it(tmp_path: Path, kind: type) -> None:
    """A fifth of a second later the kill goes on; whoever closes it goes on trying, and does it once."""
    latch = latch_of(tmp_path)
    more = {"on_closed": lambda: None} if kind is LatchClosing else {}
    closing = kind(latch, "Ada", "drill", SYSTEM_CLOCK, **more, run_id="paper")
    assert "not a directory" in str(closing.problem())
    latch.folder.unlink()
    until(lambda: latch.state() is not None and [entry.type for entry in latch.history()] == ["KillLatchClosed"])
    state = latch.state()
    assert state is not None
    assert (state.by, state.is_readable) == ("Ada", True)


def test_what_is_noted_of_a_kill_is_written_in_order_when_the_disk_takes_it(tmp_path: Path) -> None:
    """Nothing is dropped while the folder is none, and closing waits no longer than it must."""
    latch = latch_of(tmp_path)
    notes = KillNotes(latch, SYSTEM_CLOCK)
    notes.add("KillTaken", {})
    notes.add("KillConfirmed", {})
    notes.close()
    assert not notes.is_done
    latch.folder.unlink()
    until(lambda: notes.is_done)
    assert [entry.type for entry in latch.history()] == ["KillTaken", "KillConfirmed"]


def test_nobody_is_no_person_and_kills_nothing(tmp_path: Path) -> None:
    """Without a name or a reason nothing is looked for, and nothing touched."""
    roots = Roots.of(tmp_path / "artifacts", tmp_path / "runtime")
    for by, reason in ((" ", "drill"), ("Ada", "")):
        with pytest.raises(InputError, match=r"--by|--reason"):
            kill_run(roots, "paper", by=by, reason=reason)
        with pytest.raises(InputError, match=r"--by|--reason"):
            kill_all(roots, by=by, reason=reason)


@pytest.mark.parametrize("fired", ["JOURNAL_FAULT: " + "x" * 300, "NODE_LOSS: a\nb", "TOTAL_DRAWDOWN: short"])
def test_what_fires_by_itself_is_a_reason_that_a_latch_takes(tmp_path: Path, fired: str) -> None:
    """However long it is, and whatever is in it: an agent's own kill is latched as a person's is."""
    latch = KillLatch(tmp_path, "paper")
    latch.close("kill agent", in_few_words(fired))
    state = latch.state()
    assert state is not None
    assert state.reason.startswith(fired.partition(":")[0])
