"""How a child program tells its parent what a durable operation said."""

from __future__ import annotations

import sys
from collections.abc import Callable

from tc.errors import NotWritten, OutcomeUnknown, StorageError

SUCCESS = 0
NOT_WRITTEN = 10
OUTCOME_UNKNOWN = 11
STORAGE_ERROR = 12
KILLED = -9


def exit_with_outcome(operation: Callable[[], object]) -> None:
    """Run `operation` and exit with the code of its outcome; anything unexpected is a traceback."""
    try:
        operation()
    except NotWritten:
        sys.exit(NOT_WRITTEN)
    except OutcomeUnknown:
        sys.exit(OUTCOME_UNKNOWN)
    except StorageError:
        sys.exit(STORAGE_ERROR)
    sys.exit(SUCCESS)
