"""What a result depends on besides spec and data: which wheels, by whom."""

from __future__ import annotations

import re
from importlib import metadata

from tc.runs.identity import DISTRIBUTION, wheel_identity, wheels_of


def test_the_wheels_of_packages_are_those_that_the_standard_library_finds() -> None:
    """For every package that is installed here, and for one that is not."""
    for package, names in metadata.packages_distributions().items():
        known = {re.sub(r"[-_.]+", "-", name).lower() for name in names} - {DISTRIBUTION}
        assert wheels_of([package]) == known, package
    assert wheels_of(["no_such_package"]) == set()


def test_each_wheel_has_the_version_that_is_installed_and_what_it_requires_is_there_too() -> None:
    """The engine is required by tc, numpy by the engine, and both are named with version and digest."""
    wheels = wheel_identity()
    assert {"nautilus-trader", "numpy", "pydantic"} <= set(wheels)
    for name, text in wheels.items():
        assert re.fullmatch(rf"{re.escape(metadata.version(name))} sha256:[0-9a-f]{{32}}", text), name
    assert "pytest" not in wheels
    assert "pytest" in wheel_identity(["pytest"])
