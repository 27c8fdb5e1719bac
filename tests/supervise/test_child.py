"""A child of our own: what it leaves behind holds nobody up."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

from support.venue_process import until
from tc.supervise.child import Child

CHILDREN = Path(__file__).parents[1] / "support" / "children"
CLOSED_S = 20.0


def test_closing_a_child_does_not_wait_for_a_process_that_it_left_behind() -> None:
    """The other one holds the pipe of its lines still; that is closed, too, once nobody holds it."""
    child = Child([], "leaving", environment={"PYTHONPATH": str(CHILDREN)})
    left = int(child.wait_for("left", 30.0)["left"])
    try:
        child.kill()
        closing = threading.Thread(target=child.close, daemon=True)
        closing.start()
        closing.join(CLOSED_S)
        assert not closing.is_alive(), "it waits for who was left behind"
    finally:
        os.kill(left, signal.SIGKILL)
    until(lambda: not child._reader.is_alive(), "its lines are read still")
    child.close()
