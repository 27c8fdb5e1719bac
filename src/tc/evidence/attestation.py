"""A signed statement about a sealed run: what it is made of and what came out, in the formats others already read.

The statement is an in-toto Statement v1 with an SLSA Provenance v1 predicate (in-toto/attestation, slsa.dev), signed
with Ed25519 in a DSSE envelope (secure-systems-lab/dsse). Subjects are the manifest, which holds the digest of every
file, the journal's head and the result digest; materials are spec, data, code and wheels.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tc.evidence.manifest import Finding
from tc.store.run_directory import JOURNAL, MANIFEST, RUN_SPEC

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://slsa.dev/provenance/v1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
BUILD_TYPE = "urn:tradingchassis:sealed-run:v1"

type Document = dict[str, Any]


def key_id(key: Ed25519PublicKey) -> str:
    """Return the SHA-256 of the raw public key, in hex."""
    return hashlib.sha256(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()


def build_statement(manifest: bytes, metadata: Document) -> Document:
    """Return the statement about the run that `manifest` sealed; the same run gives the same statement."""
    sealed = json.loads(manifest)
    subjects = [_named(MANIFEST, _sha256(manifest)), _named(f"{JOURNAL}#head", sealed["journal"]["head"])]
    if sealed["result_digest"] is not None:
        subjects.append(_named("result", sealed["result_digest"]))
    return {
        "_type": STATEMENT_TYPE,
        "subject": subjects,
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {
                    "run_id": metadata["run_id"],
                    "mode": metadata["mode"],
                    "seed": metadata["seed"],
                    "operator": metadata["operator"],
                },
                "internalParameters": {
                    "interpreter": metadata["interpreter"],
                    "journal_entries": sealed["journal"]["entries"],
                },
                "resolvedDependencies": list(_materials(sealed, metadata)),
            },
            "runDetails": {
                "builder": {"id": BUILD_TYPE, "version": {"tradingchassis": metadata["code"]["version"]}},
                "metadata": {
                    "invocationId": metadata["run_id"],
                    "startedOn": metadata["started"],
                    "finishedOn": metadata["ended"],
                },
            },
        },
    }


def _materials(sealed: Document, metadata: Document) -> list[Document]:
    found = [_named(RUN_SPEC, sealed["files"][RUN_SPEC]["digest"])]
    found += [_named(f"dataset:{feed['dataset']}", feed["fingerprint"]) for feed in metadata["data"]]
    found += [
        _named(f"strategy:{strategy['id']}:{name}", digest)
        for strategy in metadata["strategies"]
        for name, digest in sorted(strategy["files"].items())
    ]
    found.append(_named("tc", metadata["code"]["digest"]))
    return found + [_wheel(name, text) for name, text in sorted(metadata["wheels"].items())]


def _wheel(name: str, text: str) -> Document:
    """Return an installed package: the digest is that of its RECORD, shortened, as metadata.json has it."""
    version, _, digest = text.partition(" sha256:")
    uri = f"pkg:pypi/{name}@{version}"
    return {"name": f"wheel:{name}", "uri": uri, "digest": {"record_sha256_128": digest}}


def sign(statement: Document, key: Ed25519PrivateKey) -> bytes:
    """Return the envelope: the statement, and the signature over its exact bytes."""
    payload = json.dumps(statement, sort_keys=True, separators=(",", ":")).encode()
    envelope = {
        "payloadType": PAYLOAD_TYPE,
        "payload": base64.b64encode(payload).decode(),
        "signatures": [
            {"keyid": key_id(key.public_key()), "sig": base64.b64encode(key.sign(_signed_bytes(payload))).decode()}
        ],
    }
    return (json.dumps(envelope, indent=2) + "\n").encode()


def check_attestation(name: str, envelope: bytes, key: Ed25519PublicKey, expected: Document) -> list[Finding]:
    """Return what is wrong with an envelope: its form, its signer, its signature, or what it says of the run.

    `expected` is the statement that holds for the run as it lies here; `name` is how findings call the envelope.
    """
    try:
        document = json.loads(envelope)
        payload = base64.b64decode(document["payload"], validate=True)
        signatures = {str(one["keyid"]): base64.b64decode(one["sig"], validate=True) for one in document["signatures"]}
        is_ours = document["payloadType"] == PAYLOAD_TYPE
    except (ValueError, KeyError, TypeError, binascii.Error):
        return [Finding(name, "is no DSSE envelope")]
    if not is_ours:
        return [Finding(name, f"carries {document['payloadType']!r}, expected {PAYLOAD_TYPE}")]
    wanted = key_id(key)
    if wanted not in signatures:
        signers = ", ".join(signatures) or "nobody"
        return [Finding(name, f"is signed by another key: expected {wanted}, found {signers}")]
    try:
        key.verify(signatures[wanted], _signed_bytes(payload))
    except InvalidSignature:
        return [Finding(name, "changed: the signature does not fit the statement and the key")]
    return _differences(name, json.loads(payload), expected)


def _differences(name: str, stated: Document, expected: Document) -> list[Finding]:
    if stated == expected:
        return []
    before, now = _digests(stated), _digests(expected)
    found = [
        Finding(name, f"{what} was signed as {before.get(what, 'absent')}, the run has {now.get(what, 'none')}")
        for what in sorted(before.keys() | now.keys())
        if before.get(what) != now.get(what)
    ]
    return found or [Finding(name, "states other facts of the run than its metadata.json")]


def _digests(statement: Document) -> dict[str, str]:
    try:
        listed = statement["subject"] + statement["predicate"]["buildDefinition"]["resolvedDependencies"]
        return {one["name"]: next(iter(one["digest"].values())) for one in listed}
    except (KeyError, TypeError, AttributeError, StopIteration):
        return {}


def _named(name: str, digest: str) -> Document:
    return {"name": name, "digest": {"sha256": digest.removeprefix("sha256:")}}


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _signed_bytes(payload: bytes) -> bytes:
    """Return the pre-authentication encoding of DSSE v1."""
    kind = PAYLOAD_TYPE.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)
