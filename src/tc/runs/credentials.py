"""Where the keys of an account come from: environment variables, a file of mode 0600, or the system's keyring.

A spec names the place and never holds a key. Keys are looked up anew at every start of a node, so that rotating them
needs no change of the spec.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from pathlib import Path

from tc.errors import InputError
from tc.model.endpoint import ApiKeys
from tc.model.venue import Credentials
from tc.venue.account_file import read_secret_file

SERVICE = "tradingchassis"
_FILE_WORDS = ("key", "secret")


def resolve_keys(credentials: Credentials, base: Path, environment: Mapping[str, str] = os.environ) -> ApiKeys:
    """Return the keys that the spec names; a relative file is taken from `base`, the folder of the spec.

    Raises:
        InputError: they are not where the spec says; names a place, never a value.
        RefusedError: others may read the file.
    """
    if credentials.keyring is not None:
        return _from_keyring(credentials.keyring)
    if credentials.file is not None:
        return _from_file(base / credentials.file)
    names = (credentials.api_key_env, credentials.api_secret_env)
    missing = [name for name in names if name is not None and not environment.get(name)]
    if missing:
        raise InputError(f"the environment variable {missing[0]} is not set, though venue.credentials names it; set it")
    return ApiKeys(*(environment[name].strip() for name in names if name is not None))


def _from_file(path: Path) -> ApiKeys:
    found: dict[str, str] = {}
    for line in read_secret_file(path).splitlines():
        word, colon, value = line.partition(":")
        if line.strip():
            found[word.strip() if colon else ""] = value.strip()
    if sorted(found) != sorted(_FILE_WORDS) or not all(found.values()):
        raise InputError(f"{path} does not hold the lines `key: ...` and `secret: ...`; write them, nothing else")
    return ApiKeys(found["key"], found["secret"])


def _from_keyring(entry: str) -> ApiKeys:
    try:
        keyring = importlib.import_module("keyring")
    except ImportError:
        raise InputError(
            f"venue.credentials names the keyring entry {entry!r}, but the package keyring is not installed; "
            "`pip install keyring`, or use api_key_env and api_secret_env"
        ) from None
    try:
        value = keyring.get_password(SERVICE, entry)
    except Exception as error:  # noqa: BLE001 - a backend may raise anything; its text may hold what it was asked for
        raise InputError(f"the keyring did not answer for {entry!r} ({type(error).__name__}); unlock it") from None
    key, colon, secret = (value or "").partition(":")
    if not colon or not key or not secret:
        raise InputError(
            f"the keyring has no {entry!r} of the form key:secret; `keyring set {SERVICE} {entry}` writes it"
        )
    return ApiKeys(key, secret)
