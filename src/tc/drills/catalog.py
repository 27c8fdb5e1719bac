"""All drills, by name."""

from __future__ import annotations

from tc.drills import (
    kill_drills,
    limit_drills,
    machine_drills,
    outside_drills,
    process_drills,
    storage_drills,
    strategy_drills,
    venue_drills,
)
from tc.drills.drill import Drill
from tc.errors import NotFound

DRILLS: dict[str, Drill] = {
    one.name: one
    for group in (
        kill_drills,
        venue_drills,
        outside_drills,
        strategy_drills,
        limit_drills,
        process_drills,
        machine_drills,
        storage_drills,
    )
    for one in group.DRILLS
}


def find_drill(name: str) -> Drill:
    """Return the drill of that name.

    Raises:
        NotFound: there is none.
    """
    if name not in DRILLS:
        raise NotFound(f"found no drill {name!r}; `tc drill list` shows what there is")
    return DRILLS[name]
