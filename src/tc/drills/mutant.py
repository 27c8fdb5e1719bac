"""A child of a drill with one control cut out, or with a hand inside: `python -m tc.drills.mutant CUT HAND run …`.

So are its own children. The one proves that a drill can fail, the other is how some faults come in (`inside.py`); `-`
is none. It runs only while the drill that started it lives, in that drill's own folders; no
option, variable or spec of the product leads here.
"""

from __future__ import annotations

import os
import runpy
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from tc.drills.cut import CUTS
from tc.drills.demo import MARK, MUTANT, NONE, require_living_drill
from tc.drills.inside import HANDS

_MODULE = 3  # of [interpreter, "-P", "-m", "tc", …]


class _Subprocess:
    """What `tc.supervise.child` sees instead of the module: children of a mutant are mutants."""

    def __init__(self, real: Any, *words: str) -> None:
        self._real = real
        self._words = words

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def Popen(self, words: list[str], **more: Any) -> Any:  # noqa: N802 - the name it has there
        if words[1 : _MODULE + 1] == ["-P", "-m", "tc"]:
            words = [*words[:_MODULE], MUTANT, *self._words, *words[_MODULE + 1 :]]
        return self._real.Popen(words, **more)


def main() -> None:
    """Cut the control out of this process, let it carry the hand, then be `tc`."""
    require_living_drill(dict(os.environ))
    cut_name, hand_name, *arguments = sys.argv[1:]
    child: Any = import_module("tc.supervise.child")
    child.subprocess = _Subprocess(child.subprocess, cut_name, hand_name)
    cut = None if cut_name == NONE else CUTS[cut_name].get(arguments[0])
    if cut is not None:
        cut()
    hand = None if hand_name == NONE else HANDS[hand_name].get(arguments[0])
    if hand is not None:
        hand(Path(os.environ[MARK]).parent)
    sys.argv = ["tc", *arguments]
    runpy.run_module("tc", run_name="__main__")


if __name__ == "__main__":
    main()
