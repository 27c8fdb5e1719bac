"""Sign a sealed run, and read what was signed: keys are PEM files, statements lie beside other evidence."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from tc.durable import make_directory, read_artifact, write_artifact
from tc.errors import InputError
from tc.evidence.attestation import build_statement, check_attestation, key_id, sign
from tc.evidence.manifest import Finding, check_manifest
from tc.store.run_directory import MANIFEST, RunDirectory
from tc.venue.account_file import read_secret_file

_MAKE_ONE = "`openssl genpkey -algorithm ed25519 -out key.pem` makes one"
_KEY_ID_SHOWN = 8


@dataclass(frozen=True)
class Attestation:
    """A signed statement and the key that must have signed it."""

    name: str
    envelope: bytes
    key: Ed25519PublicKey

    @property
    def key_id(self) -> str:
        """The SHA-256 of the raw public key, in hex."""
        return key_id(self.key)

    def check(self, run: RunDirectory) -> list[Finding]:
        """Return what does not hold of the statement, for an intact run; empty means that it was signed as it is."""
        expected = build_statement(read_artifact(run.file(MANIFEST)), run.metadata())
        return check_attestation(self.name, self.envelope, self.key, expected)


@dataclass(frozen=True)
class Signed:
    """What signing came to: `findings` says why nothing was signed, else `path` has the statement."""

    run_id: str
    key_id: str
    path: Path | None
    findings: list[Finding]


def attest_run(run: RunDirectory, key_path: Path, passphrase_variable: str | None, output: Path | None) -> Signed:
    """Sign an intact sealed run and write the statement to `output`, or below `artifacts/evidence/attestations/`.

    Signing the same run with the same key again writes the same bytes.

    Raises:
        InputError: the run is not sealed, the file holds no private Ed25519 key, or `output` cannot be a file.
        RefusedError: others may read the key.
    """
    if output is not None and (output.is_dir() or not output.parent.is_dir()):
        found = "is a folder" if output.is_dir() else "lies in a folder that is not there"
        raise InputError(f"--output {output} {found}, expected the path of a file to write; correct it")
    key = read_private_key(key_path, passphrase_variable)
    name = key_id(key.public_key())
    if not run.is_sealed:
        raise InputError(f"run {run.run_id} is not sealed; wait for it to end, or `tc runs recover {run.run_id}`")
    findings = check_manifest(run)
    if findings:
        return Signed(run.run_id, name, None, findings)
    envelope = sign(build_statement(read_artifact(run.file(MANIFEST)), run.metadata()), key)
    path = output
    if path is None:
        folder = run.roots.evidence / "attestations"
        make_directory(folder)
        path = folder / f"{run.run_id}-{name[:_KEY_ID_SHOWN]}.json"
    write_artifact(path, envelope)
    return Signed(run.run_id, name, path, [])


def read_attestation(path: Path | None, public_key: Path | None) -> Attestation | None:
    """Return the statement and its key; None where neither is given. Raises InputError for one without the other."""
    if path is None and public_key is None:
        return None
    if path is None or public_key is None:
        raise InputError(
            "--attestation and --public-key go together: a signature proves something only with a key that you trust; "
            "`openssl pkey -in key.pem -pubout` prints the public one"
        )
    for option, given in (("--attestation", path), ("--public-key", public_key)):
        if given.is_dir():
            raise InputError(f"{option} {given} is a folder, expected a file; correct it")
    try:
        key = load_pem_public_key(read_artifact(public_key))
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise InputError(
            f"{public_key} holds no public Ed25519 key in PEM; `openssl pkey -in key.pem -pubout` writes it"
        )
    return Attestation(path.name, read_artifact(path), key)


def read_private_key(path: Path, passphrase_variable: str | None) -> Ed25519PrivateKey:
    """Return the key in a PEM file of mode 0600; errors name the file and never show what is in it."""
    passphrase = None
    if passphrase_variable is not None:
        passphrase = os.environ.get(passphrase_variable, "").encode()
        if not passphrase:
            raise InputError(f"the environment variable {passphrase_variable} is not set; it must hold the passphrase")
    text = read_secret_file(path).encode()
    try:
        key = load_pem_private_key(text, passphrase)
    except TypeError:
        hint = "name its variable with --passphrase-env" if passphrase is None else "leave out --passphrase-env"
        raise InputError(f"{path} is {'' if passphrase is None else 'not '}encrypted; {hint}") from None
    except (ValueError, UnsupportedAlgorithm):
        raise InputError(f"{path} could not be read as a PEM private key with this passphrase; {_MAKE_ONE}") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise InputError(f"{path} holds another kind of key, expected Ed25519; {_MAKE_ONE}")
    return key
