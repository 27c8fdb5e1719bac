"""Readiness tells names and opens nothing; a probe asks this machine only, without a key, and follows nobody."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from support.paper_lab import FUNDING
from tc.errors import InputError, RefusedError
from tc.model.reading import read_run_spec
from tc.runs.connectivity import evaluate_readiness, probe_of_file, readiness_of_file
from tc.store.roots import Roots

DEMO = (Path(__file__).parents[2] / "runspecs" / "paper-demo.yaml").read_text()
CANARY = "canary-of-the-key"


def spec_text(endpoint: str, credentials: str = "{api_key_env: A_KEY, api_secret_env: A_SECRET}") -> str:
    """Return the demo with a venue of somebody else's."""
    text = DEMO.replace("seed: 7", "seed: 7\naccount: alpha").replace("  speed: 600\n", "").replace(FUNDING, "")
    return text.replace("  leverage: 10", f"  leverage: 10\n  endpoint: {endpoint}\n  credentials: {credentials}")


def state(text: str, base: Path, **environment: str) -> tuple[str, str]:
    """Return the readiness of a spec."""
    found = evaluate_readiness(read_run_spec(text.encode(), "spec"), base, environment)
    return found.state, found.detail


def test_readiness_tells_each_state_by_name_and_opens_no_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Disabled, missing, configured, invalid and unknown are told apart without a connection or a name looked up."""

    def opened(*_words: object) -> None:
        raise AssertionError("readiness opened a socket")

    monkeypatch.setattr(socket, "socket", opened)
    monkeypatch.setattr(socket, "getaddrinfo", opened)
    local, file = "http://localhost:8080", tmp_path / "keys"
    file.write_text(f"key: {CANARY}\nsecret: {CANARY}\n")
    file.chmod(0o644)

    assert state(DEMO, tmp_path)[0] == "configured"
    assert state(f"{DEMO}connectivity_readiness: {{enabled: false}}\n", tmp_path)[0] == "disabled"
    assert state(spec_text(local), tmp_path, A_KEY="x")[0] == "missing_credentials"
    assert state(spec_text(local), tmp_path, A_KEY=CANARY, A_SECRET=CANARY)[0] == "configured"
    assert state(spec_text("http://192.0.2.1:1"), tmp_path, A_KEY="x", A_SECRET="y")[0] == "invalid_config"
    found = state(spec_text(local, "{file: keys}"), tmp_path)
    assert found[0] == "invalid_config"
    assert CANARY not in found[1]
    file.chmod(0o600)
    assert state(spec_text(local, "{file: keys}"), tmp_path)[0] == "configured"


def test_a_keyring_that_does_not_answer_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A locked keyring says nothing about whether the keys are there."""

    class Locked:
        @staticmethod
        def get_password(_service: str, _entry: str) -> str:
            raise RuntimeError(CANARY)

    monkeypatch.setattr("tc.runs.credentials.importlib.import_module", lambda _name: Locked)
    found = state(spec_text("http://localhost:1", "{keyring: alpha}"), tmp_path)

    assert found[0] == "unknown"
    assert CANARY not in found[1]


@contextmanager
def answering(status: int, **headers: str) -> Iterator[tuple[str, list[str]]]:
    """A server with one answer; yields its address and the requests it saw."""
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(f"{self.requestline}\n{self.headers}")
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(b"body-that-nobody-keeps")

        def log_message(self, *_words: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", seen
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [(200, {}, "reachable"), (302, {"Location": "http://192.0.2.1/?key=1"}, "redirected"), (503, {}, "failing")],
)
def test_a_probe_asks_once_without_a_key_past_every_proxy_and_keeps_no_body(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, headers: dict[str, Any], expected: str
) -> None:
    """One GET reaches the venue itself, no redirect is followed, and the artifact holds neither key nor body."""
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("A_KEY", CANARY)
    monkeypatch.setenv("A_SECRET", CANARY)
    spec = tmp_path / "spec.yaml"
    with answering(status, **headers) as (endpoint, seen):
        spec.write_text(spec_text(endpoint))
        document, kept = probe_of_file(spec, Roots(tmp_path / "a", tmp_path / "r"))

    assert document["found"] == expected
    assert len(seen) == 1
    assert seen[0].startswith("GET /fapi/v1/ping HTTP")
    text = kept.read_text()
    for secret in (CANARY, "body-that-nobody-keeps", "key=1"):
        assert secret not in text
        assert secret not in seen[0]


def test_a_probe_goes_to_no_other_machine_and_needs_a_venue_to_ask(tmp_path: Path) -> None:
    """A spec whose venue is elsewhere is refused before a byte is sent; one without a venue is told so."""
    spec, roots = tmp_path / "spec.yaml", Roots(tmp_path / "a", tmp_path / "r")
    spec.write_text(spec_text("http://192.0.2.1:1"))
    with pytest.raises(RefusedError, match=r"192\.0\.2\.1"):
        probe_of_file(spec, roots)
    spec.write_text(DEMO)
    with pytest.raises(InputError, match="no venue"):
        probe_of_file(spec, roots)
    document, kept = readiness_of_file(spec, roots)
    assert document["state"] == "configured"
    assert kept.is_relative_to(roots.evidence)


def test_a_port_where_nobody_listens_is_refused(tmp_path: Path) -> None:
    """A venue that is not there is told from one that does not answer."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    spec = tmp_path / "spec.yaml"
    spec.write_text(spec_text(f"http://127.0.0.1:{port}"))

    assert probe_of_file(spec, Roots(tmp_path / "a", tmp_path / "r"))[0]["found"] == "refused"
