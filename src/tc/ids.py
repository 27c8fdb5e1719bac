"""Names that become file names: checked once, here, before they reach a path."""

from __future__ import annotations

import re

from tc.clock import compact_utc
from tc.errors import IdUnsafe

ID_LENGTH_MAX = 128
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def plain_id(text: str, what: str) -> str:
    """Return `text` if it is a plain name, safe as one path component; raise IdUnsafe otherwise."""
    if len(text) <= ID_LENGTH_MAX and _PLAIN.fullmatch(text) and ".." not in text:
        return text
    raise IdUnsafe(
        f"{what} {text!r} is not a plain name: use letters, digits, '.', '_' and '-', start with a letter or "
        f"digit, no '..', at most {ID_LENGTH_MAX} characters"
    )


def make_run_id(started_ns: int, spec_name: str, spec_digest: str) -> str:
    """Return `<UTC>-<spec name>-<first 8 hex of the spec digest>`."""
    return f"{compact_utc(started_ns)}-{spec_name}-{spec_digest.removeprefix('sha256:')[:8]}"
