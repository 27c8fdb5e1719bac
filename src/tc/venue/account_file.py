"""The accounts file: names, deposits, and where each key and secret is found, never what they are."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import yaml

from tc.durable import read_artifact
from tc.errors import InputError, NotFound, RefusedError
from tc.ids import plain_id
from tc.venue.setting import AccountSetting

_FIELDS = {"name", "key_env", "key_file", "secret_env", "secret_file", "deposit", "can_withdraw"}


def read_accounts(path: Path, environment: Mapping[str, str] = os.environ) -> list[AccountSetting]:
    """Return the accounts that the YAML file `path` names.

    Raises:
        InputError: the file is none, or an account lacks something.
        RefusedError: a key or secret file may be read by others than its owner.
    """
    try:
        content = yaml.safe_load(read_artifact(path))
    except yaml.YAMLError as error:
        raise InputError(f"{path} does not read as YAML ({type(error).__name__}); correct it") from None
    entries = content.get("accounts") if isinstance(content, dict) else None
    if not isinstance(entries, list) or not entries:
        raise InputError(f"{path}: expected `accounts:` with at least one account; see docs/venue.md")
    accounts = [_account(path, number, entry, environment) for number, entry in enumerate(entries, 1)]
    for what, values in (("name", [a.name for a in accounts]), ("API key", [a.api_key for a in accounts])):
        if len(set(values)) != len(values):
            raise InputError(f"{path}: two accounts have the same {what}; give each its own")
    return accounts


def read_secret_file(path: Path) -> str:
    """Return the one line in a file that only its owner may read.

    Raises:
        RefusedError: others may read it too.
        InputError: it is missing, empty or no file.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise NotFound(f"{path} was not found; write the secret there with mode 0600") from None
    if not stat.S_ISREG(mode):
        raise InputError(f"{path} is a folder or a device, expected a file of mode 0600 with the secret")
    if mode & 0o077:
        raise RefusedError(f"{path} has mode {stat.S_IMODE(mode):04o}, expected a file of mode 0600: chmod 600 it")
    text = read_artifact(path).decode().strip()
    if not text:
        raise InputError(f"{path} is empty; write the secret there")
    return text


def _account(path: Path, number: int, entry: Any, environment: Mapping[str, str]) -> AccountSetting:
    if not isinstance(entry, dict):
        raise InputError(f"{path}: account {number} is no mapping; see docs/venue.md")
    unknown = sorted(set(map(str, entry)) - _FIELDS)
    if unknown:
        raise InputError(f"{path}: account {number} has {unknown[0]!r}, expected only {', '.join(sorted(_FIELDS))}")
    name = plain_id(str(entry.get("name", "")), f"{path}: name of account {number}")
    place = f"{path}: account {name}"
    can_withdraw = entry.get("can_withdraw", False)
    if not isinstance(can_withdraw, bool):
        raise InputError(f"{place}: can_withdraw was {can_withdraw!r}, expected true or false")
    return AccountSetting(
        name=name,
        api_key=_secret(place, path.parent, "key", entry, environment),
        secret=_secret(place, path.parent, "secret", entry, environment),
        deposit=_deposit(place, entry.get("deposit", "10000")),
        can_withdraw=can_withdraw,
    )


def _secret(place: str, folder: Path, what: str, entry: dict[str, Any], environment: Mapping[str, str]) -> str:
    variable, file = entry.get(f"{what}_env"), entry.get(f"{what}_file")
    if (variable is None) == (file is None):
        raise InputError(f"{place}: expected either {what}_env or {what}_file")
    if file is not None:
        return read_secret_file(folder / str(file))
    value = environment.get(str(variable), "")
    if not value:
        raise InputError(f"{place}: the environment variable {variable} is not set; set it, or use {what}_file")
    return value


def _deposit(place: str, value: Any) -> Decimal:
    try:
        deposit = Decimal(str(value))
    except InvalidOperation:
        deposit = Decimal(-1)
    if not deposit.is_finite() or deposit < 0:
        raise InputError(f'{place}: deposit was {value!r}, expected an amount of USDT such as "10000"')
    return deposit
