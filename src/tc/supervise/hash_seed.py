"""Every process of ours has the same hash seed; this module loads nothing else, for those that must start at once."""

from __future__ import annotations

import os
import sys

HASH_SEED_VARIABLE = "PYTHONHASHSEED"
HASH_SEED = "0"


def restart_with_fixed_hash_seed() -> None:
    """Become the same command with a fixed hash seed; return at once where it is fixed already.

    Python randomizes the order of sets of strings in every process. The engine keeps order ids in sets, so without this
    two runs of one spec could cancel the same orders in another sequence.
    """
    if os.environ.get(HASH_SEED_VARIABLE) == HASH_SEED:
        return
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(sys.executable, sys.orig_argv, {**os.environ, HASH_SEED_VARIABLE: HASH_SEED})  # noqa: S606 - ourselves
