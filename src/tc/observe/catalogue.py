"""Every metric family there is, by page: what docs/metrics.md lists and what the renderer must fill."""

from __future__ import annotations

from tc.observe.catalogue_fleet import EXPORTER_FAMILIES, FLEET_FAMILIES
from tc.observe.catalogue_run import RUN_FAMILIES
from tc.observe.family import Family, Page

PAGES: dict[Page, tuple[Family, ...]] = {
    "fleet": FLEET_FAMILIES,
    "run": RUN_FAMILIES,
    "exporter": EXPORTER_FAMILIES,
}


def by_name(page: Page) -> dict[str, Family]:
    """Return the families of a page by name; a name stands in it once."""
    return {family.name: family for family in PAGES[page]}
