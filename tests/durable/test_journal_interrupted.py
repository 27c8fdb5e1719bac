"""A signal handler may raise at any step of the writer: Ctrl-C must not break the chain it leaves behind."""

from __future__ import annotations

import dis
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from tc.durable import Journal, appender, read_entries, verify_journal

FILES = {appender.__file__, sys.modules["tc.durable.descriptor"].__file__}
PLACES = {"CALL", "CALL_FUNCTION_EX", "JUMP_BACKWARD", "RESUME"}


class Interrupt(BaseException):
    """What a signal handler raises."""


def interrupted_at(step: int, work: Callable[[], None]) -> bool:
    """Run `work`, raise Interrupt at the `step`-th place where a handler may run; tell if there was one.

    The interpreter runs handlers after calls, on entering a function and on jumping back.
    """
    left = step
    last: dict[FrameType, str] = {}

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal left
        if frame.f_code.co_filename not in FILES:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            previous = last.get(frame, "")
            last[frame] = dis.opname[frame.f_code.co_code[frame.f_lasti]]
            if previous in PLACES:
                left -= 1
                if left == 0:
                    raise Interrupt
        return trace

    before = sys.gettrace()
    sys._getframe().f_trace_opcodes = True  # has to be so somewhere before tracing starts
    sys.settrace(trace)
    try:
        work()
    except Interrupt:
        return True
    finally:
        sys.settrace(before)
    return False


@pytest.mark.parametrize("how", ["add", "flush", "append"])
def test_interrupted_writer_leaves_a_valid_chain(tmp_path: Path, how: str) -> None:
    """Interrupted anywhere, a writer can be closed; its journal holds each entry whose add returned, once."""
    step = 0
    while True:
        step += 1
        path = tmp_path / f"journal-{step}"
        journal = Journal.create(path)
        journal.append("Before", 0, {})
        returned: list[int] = []

        def work(journal: Journal = journal, returned: list[int] = returned) -> None:
            for ts in (1, 2):
                returned.append(journal.add("Event", ts, {}))
            if how == "flush":
                journal.flush()
            elif how == "append":
                returned.append(journal.append("Event", 3, {}))

        was_interrupted = interrupted_at(step, work)
        journal.add("After", 9, {})
        journal.close()

        assert verify_journal(path)[2:] == (0, None), step
        entries = list(read_entries(path))
        assert [entry.type for entry in (entries[0], entries[-1])] == ["Before", "After"]
        assert set(returned) <= {entry.seq for entry in entries[1:-1]}
        stamps = [entry.ts for entry in entries]
        assert stamps == sorted(set(stamps)), step
        if not was_interrupted:
            break
    assert step > 15
