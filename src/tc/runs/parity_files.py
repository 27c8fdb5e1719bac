"""Where a comparison of backtest and paper is kept: beside other evidence, as JSON, page and picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tc.clock import SYSTEM_CLOCK, Clock, iso_utc
from tc.durable import make_directory, write_artifact
from tc.evidence.parity_report import parity_document, parity_markdown, parity_picture
from tc.runs.parity import Compared
from tc.store.roots import Roots
from tc.store.run_directory import encode_document


def write_comparison(
    roots: Roots, compared: Compared, clock: Clock = SYSTEM_CLOCK
) -> tuple[dict[str, Any], list[Path]]:
    """Write the three files below `artifacts/evidence/parity/`; return the document and the paths."""
    runs = {"backtest_run_id": compared.backtest.run_id, "paper_run_id": compared.paper.run_id}
    folder = roots.evidence / "parity"
    make_directory(folder)
    stem = "-vs-".join(runs.values())
    document = parity_document(runs, compared.bars, compared.models, compared.parity)
    document["ended"] = iso_utc(clock.now_ns())
    document["findings"] = [one._asdict() for one in compared.findings]
    page = parity_markdown(runs, compared.bars, compared.models, compared.parity, f"{stem}.svg")
    contents = {
        f"{stem}.json": encode_document(document),
        f"{stem}.md": page.encode(),
        f"{stem}.svg": parity_picture(compared.parity).encode(),
    }
    for name, data in contents.items():
        write_artifact(folder / name, data)
    return document, [folder / name for name in contents]
