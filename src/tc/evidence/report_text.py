"""Text that came with a run, made fit to print: names, labels and errors were written by others."""

from __future__ import annotations

import re

REPLACEMENT = "\ufffd"
_BREAKS = re.compile(r"[\t\n\v\f\r\x85\u2028\u2029]+")
# Controls, half characters that no encoding can write, and marks that turn the reading direction around.
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """Return the text on one line, with a visible stand-in for every character that cannot be shown as it is."""
    return _UNPRINTABLE.sub(REPLACEMENT, _BREAKS.sub(" ", text))
