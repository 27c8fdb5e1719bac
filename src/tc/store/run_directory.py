"""One run's directory: its documents, its lock, and what it says about the run's status."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tc.durable import host, lock_holder, read_artifact
from tc.errors import ArtifactCorrupt, NotFound
from tc.store.roots import Roots

RUN_SPEC = "run_spec.yaml"
METADATA = "metadata.json"
JOURNAL = "journal.jsonl"
INPUTS = "inputs.jsonl"
VENUE_ORDERS = "venue_orders.jsonl"
METRICS = "metrics.json"
REPORT_MARKDOWN = "report.md"
REPORT_HTML = "report.html"
RECONCILIATION = "reconciliation_result.json"
ENGINE_LOG = "nautilus.jsonl"
NODE_STATUS = "status.json"
STATE = "state"
MANIFEST = "manifest.json"

STATUSES = ("created", "running", "completed", "failed", "killed", "interrupted", "safety_blocked", "unknown")
METADATA_SCHEMA = "tc.metadata/v1"
STATUS_SCHEMA = "tc.status/v1"


def encode_document(document: dict[str, Any]) -> bytes:
    """Return a JSON document as it is stored: two-space indent, keys in their order, one final newline."""
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()


def decode_document(data: bytes, path: Path) -> dict[str, Any]:
    """Return the JSON object in `data`; raise ArtifactCorrupt where there is none."""
    try:
        document = json.loads(data)
    except ValueError as error:
        raise ArtifactCorrupt(path, f"not JSON ({error})") from None
    if not isinstance(document, dict):
        raise ArtifactCorrupt(path, f"expected a JSON object, found {type(document).__name__}")
    return document


@dataclass(frozen=True)
class RunDirectory:
    """A run that exists on disk, running or not."""

    roots: Roots
    run_id: str

    @property
    def path(self) -> Path:
        """The directory itself."""
        return self.roots.runs / self.run_id

    @property
    def lock_path(self) -> Path:
        """The lock that the running process holds for life."""
        return self.roots.locks / f"{self.run_id}.lock"

    @property
    def anchor_path(self) -> Path:
        """The witness of the manifest, outside the directory."""
        return self.roots.anchors / f"{self.run_id}.json"

    @property
    def scratch(self) -> Path:
        """Folder for what the live process writes besides evidence."""
        return self.roots.nodes / self.run_id

    def file(self, name: str) -> Path:
        """Return the path of one of the run's files."""
        return self.path / name

    def document(self, name: str) -> dict[str, Any]:
        """Return one of the run's JSON documents; raise NotFound or ArtifactCorrupt."""
        return decode_document(read_artifact(self.file(name)), self.file(name))

    def metadata(self) -> dict[str, Any]:
        """Return metadata.json; raise ArtifactCorrupt where it is missing or is not this run's."""
        path = self.file(METADATA)
        try:
            metadata = self.document(METADATA)
        except NotFound:
            raise ArtifactCorrupt(path, "metadata.json is missing") from None
        if metadata.get("run_id") != self.run_id or metadata.get("status") not in STATUSES:
            raise ArtifactCorrupt(path, f"it does not describe run {self.run_id}")
        return metadata

    @property
    def is_sealed(self) -> bool:
        """Whether the manifest was written."""
        return self.file(MANIFEST).is_file()

    def is_foreign(self, metadata: dict[str, Any]) -> bool:
        """Whether the run was started on another host, whose locks cannot be seen from here."""
        return bool(metadata.get("host") != host())

    def status(self, metadata: dict[str, Any]) -> str:
        """Return the run's status as it is now, not as it was last written.

        Unsealed without a living process on this host is `interrupted`; on another host it is `unknown`.
        """
        recorded = str(metadata["status"])
        if self.is_sealed:
            return recorded
        if self.is_foreign(metadata):
            return "unknown"
        return recorded if lock_holder(self.lock_path) is not None else "interrupted"
