"""One run an account, across clones and roots: a lock in the user's own state directory.

The account is what the venue knows it by: its address and its API key, of which only a digest is kept.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from tc.durable import FileLock, make_directory
from tc.errors import BusyError, LockTimeout

_DIGEST_LENGTH = 24


def user_state() -> Path:
    """Return this user's state directory for what must hold across clones: XDG_STATE_HOME, or ~/.local/state."""
    base = os.environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "tradingchassis"


def account_key(endpoint: str, api_key: str) -> str:
    """Return the name under which an account's lock is kept."""
    return hashlib.sha256(f"{endpoint}\n{api_key}".encode()).hexdigest()[:_DIGEST_LENGTH]


def lock_account(endpoint: str, api_key: str, run_id: str, directory: Path) -> FileLock:
    """Hold the account for this run until the process ends or the lock is released.

    Raises:
        BusyError: another run has it; the message names that run and where it writes.
    """
    folder = user_state() / "accounts"
    make_directory(folder)
    purpose = f"run {run_id} in {directory}"[-160:]
    lock = FileLock(folder / f"{account_key(endpoint, api_key)}.lock", purpose=purpose, timeout_s=0)
    try:
        lock.acquire()
    except LockTimeout as error:
        raise BusyError(
            f"the account at {endpoint} has a run already: {error.holder}; stop that one first, for an account has one "
            "run at a time"
        ) from None
    return lock
