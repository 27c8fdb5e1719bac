"""A node that loads already while its supervisor still reads the spec: loading is most of what a start takes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from tc.supervise.child import Child

_LOOKS_LIKE_PAPER = re.compile(rb"^mode:[ \t]*[\"']?paper\b", re.MULTILINE)


@contextmanager
def node_ahead(spec_text: bytes) -> Iterator[Child | None]:
    """Yield a node that waits for its order, or None where the text does not look like the spec of a paper run.

    A guess: whoever reads the spec decides. A node that got no order is ended, whatever happened meanwhile.
    """
    node = Child(["node"]) if _LOOKS_LIKE_PAPER.search(spec_text) else None
    try:
        yield node
    finally:
        if node is not None:
            node.kill()
            node.close()
