"""What a supervisor tells a child: no line is lost, however they come."""

from __future__ import annotations

import os

from tc.supervise.lifeline import Lifeline


def test_lines_that_come_together_or_in_parts_are_each_read_once() -> None:
    """Two that were written while nobody read yet, one in two parts; then its end."""
    ours, theirs = os.pipe()
    lifeline = Lifeline(ours)
    os.write(theirs, b"an order\na fault\nhal")
    assert lifeline.next_line() == b"an order"
    assert lifeline.next_line() == b"a fault"
    os.write(theirs, b"f\n")
    assert lifeline.next_line() == b"half"
    os.close(theirs)
    assert lifeline.next_line() is None
    os.close(ours)
