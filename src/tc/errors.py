"""Every fault of the product, in one tree, with the exit code each ends a command with.

TcError
|- InputError               exit 2   the operator can fix it
|   |- SpecInvalid                   a RunSpec says something it must not
|   |- DatasetInvalid                rows, columns or fingerprint are not what they must be
|   |- StrategyInvalid               a strategy does not import or its config is refused
|   |- NotFound                      no such run, dataset or file
|   `- IdUnsafe                      an id that is not a plain name
|- RefusedError             exit 3   refused by safety or risk
|- BusyError                exit 4   somebody else holds it
|   |- LockTimeout                   a lock was not free before the deadline; names the holder
|   `- AlreadyExists                 an id or file that must be new is there already
|- StorageError             exit 5
|   |- NotWritten                    the old state is certainly intact
|   |- OutcomeUnknown                may or may not survive; the writer is poisoned, never retried
|   `- Corrupt                       unreadable is not empty
|       |- JournalCorrupt            at a seq and byte offset, with the reason
|       |- JournalTruncated          the anchor knows of more entries than the journal holds
|       `- ArtifactCorrupt           a whole-file artifact does not parse or match its digest
|- ComponentFault           exit 6
|   |- StrategyRaised                a strategy handler raised while the run was going on
|   |- NotStarted                    a node did not begin to trade in time
|   `- ChildFailed                   a child process died or broke its contract
`- TcBug                    exit 70  our fault: shown with a traceback

Expected outcomes (a verdict, a refusal, a mismatch: exit 1 or 3) are values and never raised.
"""

from __future__ import annotations

from pathlib import Path


class TcError(Exception):
    """Base of every fault; `exit_code` is what the command line ends with."""

    exit_code = 70


class InputError(TcError):
    """Input that the operator can correct."""

    exit_code = 2


class SpecInvalid(InputError):
    """A RunSpec was refused; `problems` holds one sentence a field."""

    def __init__(self, source: str, problems: list[str]) -> None:
        self.source = source
        self.problems = problems
        lines = "\n".join(f"  - {problem}" for problem in problems)
        noun = "problem" if len(problems) == 1 else "problems"
        super().__init__(f"{source}: {len(problems)} {noun} in the run spec\n{lines}")


class DatasetInvalid(InputError):
    """A dataset or a source file of one was refused."""


class StrategyInvalid(InputError):
    """A strategy could not be loaded or configured."""


class NotFound(InputError):
    """What was named does not exist."""


class IdUnsafe(InputError):
    """An id was not a plain file name."""


class RefusedError(TcError):
    """Safety or risk refused the command as a whole."""

    exit_code = 3


class BusyError(TcError):
    """Another process holds what is needed."""

    exit_code = 4


class LockTimeout(BusyError):
    """The lock was held past the deadline; `holder` says by whom."""

    def __init__(self, path: Path, holder: str, waited_s: float) -> None:
        self.path = path
        self.holder = holder
        self.waited_s = waited_s
        super().__init__(f"{path} was held by {holder} for more than {waited_s:g} s; wait for it or stop it")


class AlreadyExists(BusyError):
    """A name that must be new was taken."""

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(f"{path} exists already; choose another name or remove it")


class StorageError(TcError):
    """The disk did not do what it must."""

    exit_code = 5


class NotWritten(StorageError):
    """Nothing was written; the old state is intact."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"{path} was not written ({reason}); the previous content is intact")


class OutcomeUnknown(StorageError):
    """The write may or may not survive a power cut; read it again from a fresh process."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"{path} may or may not have been written ({reason}); open it again before going on")


class Corrupt(StorageError):
    """Stored bytes are not what was written."""


class JournalCorrupt(Corrupt):
    """A journal is damaged in a way no crash can cause."""

    def __init__(self, path: Path, seq: int, offset: int, reason: str) -> None:
        self.path = path
        self.seq = seq
        self.offset = offset
        self.reason = reason
        super().__init__(f"{path} is damaged at seq {seq}, byte {offset}: {reason}; restore it from a copy")


class JournalTruncated(Corrupt):
    """Whole entries are missing from the end of a journal."""

    def __init__(self, path: Path, found_seq: int, anchor_seq: int) -> None:
        self.path = path
        self.found_seq = found_seq
        self.anchor_seq = anchor_seq
        super().__init__(
            f"{path} ends at seq {found_seq} but its anchor recorded seq {anchor_seq}: entries are missing; "
            "restore it from a copy"
        )


class ArtifactCorrupt(Corrupt):
    """A whole-file artifact does not parse or does not match its digest."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"{path} is damaged: {reason}; restore it from a copy")


class ComponentFault(TcError):
    """A part that runs beside us failed."""

    exit_code = 6


class StrategyRaised(ComponentFault):
    """A strategy raised inside one of its handlers."""


class NotStarted(ComponentFault):
    """A node did not begin to trade in time."""


class ChildFailed(ComponentFault):
    """A child process ended in a way it must not."""


class TcBug(TcError):
    """Our own fault; never expected."""

    exit_code = 70
