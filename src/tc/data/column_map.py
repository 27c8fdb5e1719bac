"""Which column of a source is which: found by name or told by the operator, never guessed between two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tc.data.bar_table import PRICE_COLUMNS
from tc.errors import DatasetInvalid, InputError

ROLES = ("timestamp", *PRICE_COLUMNS, "volume")

# A column called exactly like the role wins; these are looked for where there is none.
_OTHER_NAMES = {
    "timestamp": ("time", "datetime", "date", "ts_event", "ts", "open_time", "close_time", "unix"),
    "open": ("o",),
    "high": ("h",),
    "low": ("l",),
    "close": ("c",),
    "volume": ("vol", "v"),
}


def find_columns(names: Sequence[str], told: Mapping[str, str], *, with_volume: bool, source: str) -> dict[str, int]:
    """Return the index of the column of each role, without `volume` unless `with_volume`.

    `names` are the columns of the source, `told` the operator's role to name. Case does not count unless two
    names differ by it alone.

    Raises:
        InputError: `told` names an unknown role or an absent column.
        DatasetInvalid: no column, or more than one, can be meant.
    """
    for role in told:
        if role not in ROLES:
            raise InputError(f"column role was {role!r}, expected one of {', '.join(ROLES)}")
    roles = ROLES if with_volume else ROLES[:-1]
    found = {role: _column(role, names, told.get(role), source) for role in roles}
    for role, index in found.items():
        twin = next(other for other in roles if found[other] == index)
        if twin != role:
            raise InputError(
                f"{source}: column {names[index]!r} was given for both {twin} and {role}; name one of them"
            )
    return found


def _column(role: str, names: Sequence[str], told: str | None, source: str) -> int:
    listed = ", ".join(map(repr, names))
    if told is not None:
        matches = [index for index, name in enumerate(names) if name == told]
        matches = matches or [index for index, name in enumerate(names) if name.lower() == told.lower()]
        if not matches:
            raise InputError(f"{source}: column {told!r} for {role} was not found (there: {listed}); correct the name")
    else:
        matches = [index for index, name in enumerate(names) if name.lower() == role]
        matches = matches or [index for index, name in enumerate(names) if name.lower() in _OTHER_NAMES[role]]
        if not matches:
            other = " or declare --volume absent" if role == "volume" else ""
            raise DatasetInvalid(
                f"{source}: no column for {role} was found (there: {listed}); name it with --column {role}=NAME{other}"
            )
    if len(matches) > 1:
        meant = ", ".join(repr(names[index]) for index in matches)
        raise DatasetInvalid(f"{source}: {role} could be any of {meant}; say which with --column {role}=NAME")
    return matches[0]
