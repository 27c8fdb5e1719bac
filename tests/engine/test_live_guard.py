"""What ends a live run by itself: memory above its bound."""

from __future__ import annotations

from pathlib import Path

import pytest

from tc.engine import live_guard
from tc.engine.live_guard import CHECK_NS, LiveGuard, resident_bytes
from tc.errors import ComponentFault
from tc.model.reading import read_run_spec

DEMO = (Path(__file__).parents[2] / "runspecs" / "paper-demo.yaml").read_text()
MEGABYTE = 1 << 20


def test_a_node_above_its_memory_is_ended_and_one_below_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """Above safety.max_memory_mb, 2048 where the spec has none, the run ends with a fault that says so."""
    assert resident_bytes() > 10 * MEGABYTE
    for text, bound in ((DEMO, 2_048), (DEMO.replace("max_restarts: 3", "max_restarts: 3\n  max_memory_mb: 300"), 300)):
        guard = LiveGuard(read_run_spec(text.encode(), "spec"), [])
        monkeypatch.setattr(live_guard, "resident_bytes", lambda bound=bound: bound * MEGABYTE)
        guard.look(CHECK_NS)
        monkeypatch.setattr(live_guard, "resident_bytes", lambda bound=bound: (bound + 1) * MEGABYTE)
        guard.look(CHECK_NS + 1)  # asked once a second
        with pytest.raises(ComponentFault, match=f"{bound:,}"):
            guard.look(2 * CHECK_NS)
