"""A child of a drill with one control cut out: `python -m tc.drills.mutant CUT run …`, and so are its own children.

It proves that a drill can fail. It runs only while the drill that started it lives, in that drill's own folders; no
option, variable or spec of the product leads here.
"""

from __future__ import annotations

import os
import runpy
import sys
from importlib import import_module
from typing import Any

from tc.drills.cut import CUTS
from tc.drills.demo import require_living_drill

_MODULE = 3  # of [interpreter, "-P", "-m", "tc", …]


class _Subprocess:
    """What `tc.supervise.child` sees instead of the module: children of a mutant are mutants."""

    def __init__(self, real: Any, cut: str) -> None:
        self._real = real
        self._cut = cut

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def Popen(self, words: list[str], **more: Any) -> Any:  # noqa: N802 - the name it has there
        if words[1 : _MODULE + 1] == ["-P", "-m", "tc"]:
            words = [*words[:_MODULE], "tc.drills.mutant", self._cut, *words[_MODULE + 1 :]]
        return self._real.Popen(words, **more)


def main() -> None:
    """Cut the control out of this process, then be `tc`."""
    require_living_drill(dict(os.environ))
    name, *arguments = sys.argv[1:]
    child: Any = import_module("tc.supervise.child")
    child.subprocess = _Subprocess(child.subprocess, name)
    cut = CUTS[name].get(arguments[0])
    if cut is not None:
        cut()
    sys.argv = ["tc", *arguments]
    runpy.run_module("tc", run_name="__main__")


if __name__ == "__main__":
    main()
