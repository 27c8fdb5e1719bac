"""`tc seal` puts a name under a run; `tc verify --attestation` says whether it holds, anywhere, without network."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from support.capabilities import needs
from support.run_lab import Lab, make_lab
from tc.durable import protect_tree, unprotect_tree
from tc.evidence.manifest import digest_file
from tc.runs.attest import read_attestation
from tc.runs.verify import verify_run
from tc.store.roots import Roots
from tc.store.run_directory import encode_document

pytestmark = pytest.mark.xdist_group("attestation")  # its run is made once
PASSPHRASE = "canary-passphrase-5f1d"


class Keys:
    """A key pair in two files."""

    def __init__(self, folder: Path, name: str, passphrase: str | None = None) -> None:
        key = Ed25519PrivateKey.generate()
        how = NoEncryption() if passphrase is None else BestAvailableEncryption(passphrase.encode())
        self.private, self.public = folder / f"{name}.pem", folder / f"{name}.pub"
        self.private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how))
        self.private.chmod(0o600)
        raw = key.public_key()
        self.public.write_bytes(raw.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
        self.id = hashlib.sha256(raw.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()


@pytest.fixture(scope="module")
def signed(tmp_path_factory) -> tuple[Lab, Keys, Path]:
    """Return a lab with a sealed run, the keys that signed it, and the statement."""
    root = tmp_path_factory.mktemp("signed")
    lab = make_lab(root, bars=300)
    lab.run("proof")
    keys = Keys(root, "desk")
    done = lab.tc("seal", "proof", "--key", str(keys.private), "--json")
    assert done.returncode == 0, done.stderr
    return lab, keys, Path(json.loads(done.stdout)["path"])


@pytest.fixture
def elsewhere(signed, tmp_path) -> Lab:
    """Return another checkout that was given nothing but the run's directory: no data, no anchor."""
    lab, _, _ = signed
    shutil.copytree(lab.artifacts / "runs" / "proof", tmp_path / "artifacts" / "runs" / "proof")
    unprotect_tree(tmp_path / "artifacts" / "runs" / "proof")
    return Lab(tmp_path)


def check(lab: Lab, statement: Path, keys: Keys, *options: str) -> subprocess.CompletedProcess[str]:
    """Verify `proof` in `lab` against a statement."""
    lab_run = lab.artifacts / "runs" / "proof"
    protect_tree(lab_run)
    arguments = ["--attestation", str(statement), "--public-key", str(keys.public), *options]
    return lab.tc("verify", "proof", *arguments)


def test_a_signed_run_is_repeated_and_its_signer_named(signed) -> None:
    """With data at hand the whole proof is made: files, inputs, result, and who signed."""
    lab, keys, statement = signed
    done = check(lab, statement, keys)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "bit for bit equal" in done.stdout
    assert f"signed by {keys.id}" in done.stdout


def test_signing_again_writes_the_same_bytes(signed, tmp_path) -> None:
    """The statement holds nothing of the moment at which it was signed."""
    lab, keys, statement = signed
    again = tmp_path / "again.json"
    assert lab.tc("seal", "proof", "--key", str(keys.private), "--output", str(again)).returncode == 0
    assert again.read_bytes() == statement.read_bytes()


@needs("namespaces")
def test_it_verifies_on_another_checkout_without_network(signed, elsewhere) -> None:
    """The run's directory, the statement and the public key are enough: no anchor, no data, no network."""
    _, keys, statement = signed
    arguments = ["--files-only", "--attestation", str(statement), "--public-key", str(keys.public)]
    protect_tree(elsewhere.artifacts / "runs" / "proof")
    command = ["unshare", "--net", *elsewhere.command("verify", "proof", *arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "files intact" in done.stdout
    assert f"signed by {keys.id}" in done.stdout
    differing = [line for line in done.stdout.splitlines() if line.startswith("  ") and "signed by" not in line]
    assert all("dataset" in line for line in differing), done.stdout  # it says that the data are not here


def test_any_edit_of_any_file_is_named(signed, elsewhere) -> None:
    """One byte changed in each file in turn, the manifest made to fit: the file or the manifest is named."""
    _, keys, statement = signed
    run = elsewhere.artifacts / "runs" / "proof"
    roots = Roots(elsewhere.artifacts, elsewhere.runtime)
    unprotect_tree(run)
    for path in sorted(one for one in run.rglob("*") if one.is_file() and one.stat().st_size):
        before = path.read_bytes()
        path.write_bytes(before[:-2] + bytes([before[-2] ^ 1]) + before[-1:])
        signed_by = read_attestation(statement, keys.public)
        found = verify_run(roots, "proof", repeat=False, attestation=signed_by)
        assert path.relative_to(run).as_posix() in [one.file for one in found.findings], f"{path.name}: {found}"
        path.write_bytes(before)


def test_a_forged_manifest_that_fits_its_files_is_named(signed, elsewhere) -> None:
    """Who changes a report and makes manifest and digest anew is still found out: the manifest was signed."""
    _, keys, statement = signed
    run = elsewhere.artifacts / "runs" / "proof"
    report = run / "report.md"
    report.write_bytes(report.read_bytes() + b"all good\n")
    manifest = json.loads((run / "manifest.json").read_bytes())
    manifest["files"]["report.md"] = {"digest": digest_file(report), "bytes": report.stat().st_size}
    body = {key: value for key, value in manifest.items() if key != "digest"}
    text = json.dumps(body, sort_keys=True, separators=(",", ":")).encode()
    forged = {**body, "digest": f"sha256:{hashlib.sha256(text).hexdigest()}"}
    (run / "manifest.json").write_bytes(encode_document(forged))
    done = check(elsewhere, statement, keys, "--files-only")
    assert done.returncode == 1
    assert "manifest.json was signed as" in done.stdout


def test_another_key_and_another_statement_are_named(signed, tmp_path) -> None:
    """A signature by somebody else, and a statement changed after it was signed."""
    lab, keys, statement = signed
    other = Keys(tmp_path, "stranger")
    done = check(lab, statement, other, "--files-only")
    assert (done.returncode, "signed by another key" in done.stdout) == (1, True)

    envelope = json.loads(statement.read_bytes())
    payload = json.loads(base64.b64decode(envelope["payload"]))
    payload["predicate"]["buildDefinition"]["externalParameters"]["operator"] = "somebody"
    envelope["payload"] = base64.b64encode(json.dumps(payload).encode()).decode()
    changed = tmp_path / "changed.json"
    changed.write_text(json.dumps(envelope))
    done = check(lab, changed, keys, "--files-only")
    assert (done.returncode, "signature does not fit" in done.stdout) == (1, True)

    changed.write_text("[]")
    done = check(lab, changed, keys, "--files-only")
    assert (done.returncode, "is no DSSE envelope" in done.stdout) == (1, True)


def test_a_changed_run_is_not_signed(signed, elsewhere) -> None:
    """What is not what was sealed gets no name under it, and no file is written."""
    _, keys, _ = signed
    output = elsewhere.root / "statement.json"
    done = elsewhere.tc("seal", "proof", "--key", str(keys.private), "--output", str(output))
    assert (done.returncode, output.exists()) == (1, False)
    assert "was not signed" in done.stdout


def test_keys_are_read_only_where_nobody_else_may_and_never_shown(signed, tmp_path) -> None:
    """A file that others may read is refused; passphrases come by variable; nothing of them is printed or stored."""
    lab, keys, statement = signed
    locked = Keys(tmp_path, "locked", PASSPHRASE)
    output = ["--output", str(tmp_path / "out.json")]
    environment = {**os.environ, "DESK_PASSPHRASE": PASSPHRASE}
    named = ["--passphrase-env", "DESK_PASSPHRASE"]
    seal = ["seal", "proof", "--key", str(locked.private), *output]
    assert lab.tc(*seal, *named, env=environment).returncode == 0

    refused = [
        (2, "--passphrase-env", lab.tc(*seal)),
        (2, "is not set", lab.tc(*seal, *named)),
        (2, "could not be read", lab.tc(*seal, *named, env={**environment, "DESK_PASSPHRASE": "wrong-canary"})),
        (2, "go together", lab.tc("verify", "proof", "--attestation", str(statement))),
        (2, "no public Ed25519", check(lab, statement, _Public(keys.private))),
    ]
    locked.private.chmod(0o644)
    refused.append((3, "mode 0644", lab.tc(*seal)))
    for code, words, done in refused:
        assert (done.returncode, words in done.stderr) == (code, True), done.stderr
        assert "canary" not in done.stdout + done.stderr
        assert "PRIVATE KEY" not in done.stdout + done.stderr
    for path in [tmp_path / "out.json", *(one for one in lab.artifacts.rglob("*") if one.is_file())]:
        data = path.read_bytes()
        assert PASSPHRASE.encode() not in data
        assert b"PRIVATE KEY" not in data


def test_a_folder_in_the_place_of_a_file_is_bad_input(signed, tmp_path) -> None:
    """Key, statement, public key and output are files: a folder is named before anything is done, with exit 2."""
    lab, keys, statement = signed
    seal = ["seal", "proof", "--key", str(keys.private), "--output"]
    refused = [
        ("expected a file of mode 0600", lab.tc("seal", "proof", "--key", str(tmp_path))),
        (f"--output {tmp_path} is a folder", lab.tc(*seal, str(tmp_path))),
        ("folder that is not there", lab.tc(*seal, str(tmp_path / "no" / "such.json"))),
        (f"--attestation {tmp_path} is a folder", check(lab, tmp_path, keys)),
        (f"--public-key {tmp_path} is a folder", check(lab, statement, _Public(tmp_path))),
    ]
    for words, done in refused:
        assert (done.returncode, words in done.stderr) == (2, True), done.stderr
    assert list(tmp_path.iterdir()) == []


class _Public:
    """A file given as if it held a public key."""

    def __init__(self, public: Path) -> None:
        self.public = public
