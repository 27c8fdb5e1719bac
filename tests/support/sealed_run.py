"""A hand-made sealed run for tests of manifest and listing: small, quick, no engine."""

from __future__ import annotations

from pathlib import Path

from tc.durable import Journal, host, protect_tree, write_artifact
from tc.evidence.manifest import build_anchor, build_manifest
from tc.store.roots import Roots
from tc.store.run_directory import JOURNAL, MANIFEST, METADATA_SCHEMA, RunDirectory
from tc.store.run_store import RunStore

UUID = "6f1b2c3d-0000-4000-8000-{:012d}"


def make_sealed_run(root: Path, run_id: str = "sealed", entries: int = 30, uuid_base: int = 0) -> RunDirectory:
    """Return a sealed run with a journal of some order events."""
    store = RunStore(Roots.of(root / "artifacts", root / "runtime"))
    metadata = {"schema": METADATA_SCHEMA, "status": "created", "host": host(), "result_digest": "sha256:0"}
    writer = store.create(run_id, metadata, b"schema: tc.runspec/v1\n", is_exact=True)
    run = writer.directory
    writer.write("metrics.json", b"{}\n")
    writer.write("report.md", b"# report\n")
    with Journal.create(run.file(JOURNAL)) as journal:
        for number in range(entries):
            event = UUID.format(uuid_base + number)
            journal.add("OrderFilled", number, {"client_order_id": f"O-{number}", "event_id": event, "last_px": "1.5"})
        journal.sync()
        head = journal.head
    writer.update(status="completed")
    manifest = build_manifest(run, head, "sha256:0")
    write_artifact(run.anchor_path, build_anchor(run, manifest))
    writer.write(MANIFEST, manifest)
    protect_tree(run.path)
    writer.close()
    return run
