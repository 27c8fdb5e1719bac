"""What the latches mean to a run that starts, and how a named person clears them."""

from __future__ import annotations

from tc.clock import SYSTEM_CLOCK, Clock
from tc.errors import RefusedError
from tc.store.account_lock import user_state
from tc.store.kill_latch import CONFIRMED, KillLatch, closed_latches
from tc.store.roots import Roots


def require_no_latch(roots: Roots, run_id: str, endpoint: str, api_key: str) -> None:
    """Return if nothing keeps this run from trading.

    Raises:
        RefusedError: a latch is closed; names who closed it, why, and how it is cleared.
    """
    latches = (KillLatch.of_run(roots, run_id), KillLatch.of_account(endpoint, api_key), KillLatch.of_all())
    for state in closed_latches(*latches):
        raise RefusedError(
            f"the kill latch {state.describe()}; nothing trades until a named person clears it: "
            "`tc kill clear RUN --by NAME --reason WHY`"
        )


def is_latched(roots: Roots, run_id: str) -> bool:
    """Return whether a run was killed."""
    return KillLatch.of_run(roots, run_id).state() is not None


def is_confirmed(roots: Roots, run_id: str) -> bool:
    """Return whether the last kill of a run was confirmed flat at the venue."""
    return [entry.type for entry in KillLatch.of_run(roots, run_id).history()][-1:] == [CONFIRMED]


def clear_kill(roots: Roots, run_id: str, *, by: str, reason: str, clock: Clock = SYSTEM_CLOCK) -> list[str]:
    """Clear a run's latch and its account's, by a named person; return the names of those that were closed."""
    latches = (*latches_of_accounts(roots, run_id), KillLatch.of_run(roots, run_id))
    return [each.name for each in latches if each.clear(by, reason, clock)]


def latches_of_accounts(roots: Roots, run_id: str) -> list[KillLatch]:
    """Return the latches of the accounts that a run was killed with, as its own history names them."""
    latch = KillLatch.of_run(roots, run_id)
    accounts = {entry.payload().get("account") for entry in latch.history()} - {None}
    return [KillLatch(user_state() / "kill_switch", name) for name in sorted(map(str, accounts))]
