"""What a paper run's own venue did with its orders, as it is kept with the run."""

from __future__ import annotations

from tc.model.run_spec import RunSpec
from tc.model.value import decimal_text
from tc.runs.paper_venue import STATE, venue_directory
from tc.store.roots import Roots
from tc.venue.bar_path import TICKS
from tc.venue.order_record import encode_record
from tc.venue.persistence import JOURNAL_FILE


def venue_record(spec: RunSpec, roots: Roots, run_id: str) -> bytes:
    """Return what a run's own venue did with its orders, for the run's directory.

    Raises:
        StorageError: its journal cannot be read.
    """
    setting = {
        "seed": spec.seed,
        "latency_ms": int(spec.venue.latency_ms.base),
        "fill_at_touch": decimal_text(spec.venue.fill_model.prob_fill_on_limit),
        "ticks": TICKS,
    }
    return encode_record(venue_directory(roots, run_id) / STATE / JOURNAL_FILE, setting)
