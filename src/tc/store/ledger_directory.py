"""Where an account's ledger lies, and the sentences that name the way back when it is damaged."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tc.errors import Corrupt, JournalCorrupt, JournalTruncated, NotFound
from tc.ids import plain_id
from tc.store.roots import Roots

DERIVED = ("portfolio.json", "equity.json", "risk_state.json", "setup_performance.json")


@dataclass(frozen=True)
class LedgerDirectory:
    """The files of one account's ledger; the account is a plain id."""

    path: Path
    account: str

    @classmethod
    def of(cls, roots: Roots, account: str) -> LedgerDirectory:
        """Return the ledger's place under `runtime/ledger`; raise IdUnsafe where the account is no plain name."""
        return cls(roots.runtime / "ledger" / plain_id(account, "account"), account)

    @property
    def journal(self) -> Path:
        """The ledger itself."""
        return self.path / "journal.jsonl"

    @property
    def lock(self) -> Path:
        """The permanent lock file of everybody who writes."""
        return self.path / "lock"

    @property
    def anchor(self) -> Path:
        """The head of the journal as last recorded outside of it."""
        return self.path / "anchor.json"

    @property
    def safety_events(self) -> Path:
        """The journal of what the corruption guard found."""
        return self.path / "safety_events.jsonl"

    @property
    def safety_lock(self) -> Path:
        """The lock of the safety events."""
        return self.path / "safety_events.lock"

    def derived(self, name: str) -> Path:
        """Return the path of one of the derived files."""
        return self.path / name

    @property
    def derived_files(self) -> tuple[Path, ...]:
        """All derived files."""
        return tuple(map(self.derived, DERIVED))

    @property
    def has_traces(self) -> bool:
        """Whether a ledger was here: its lock file alone is none, that is made by whoever looks for the ledger."""
        names = (self.journal, self.anchor, self.safety_events, *self.derived_files)
        return any(name.exists() for name in names)

    def require(self) -> None:
        """Raise NotFound where the account has no ledger, Corrupt where it had one and the journal is gone."""
        if self.journal.exists():
            return
        if self.has_traces:
            raise self.damaged("the journal is missing but other files of the ledger are there")
        raise NotFound(
            f"the account {self.account!r} has no ledger under {self.path.parent}; "
            f"`tc ledger create --account {self.account}` makes one"
        )

    def require_account(self, found: str) -> None:
        """Raise Corrupt unless the ledger here says that it is this account's; nothing is `found` in an empty one."""
        if not found:
            raise self.damaged("the journal holds no entry")
        if found != self.account:
            raise self.damaged(f"it belongs to the account {found!r}")

    def damaged(self, what: str) -> Corrupt:
        """Return the fault that names the damage and the way back."""
        return Corrupt(
            f"the ledger of {self.account} is refused: {what}; it is not read as empty and nothing was written. "
            f"`tc ledger verify --account {self.account}` shows what is there, "
            f"`tc ledger rebuild --account {self.account} --from COPY` restores a copy"
        )


def describe_damage(error: Corrupt) -> str:
    """Return what is wrong with a journal, without the journal's own advice."""
    if isinstance(error, JournalTruncated):
        missing = error.anchor_seq - error.found_seq
        return (
            f"it ends at entry {error.found_seq} but entry {error.anchor_seq} was recorded outside of it: "
            f"{missing} {'entry is' if missing == 1 else 'entries are'} missing"
        )
    if isinstance(error, JournalCorrupt):
        return f"entry {error.seq} at byte {error.offset} is damaged: {error.reason}"
    return str(error)
