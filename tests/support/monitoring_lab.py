"""A real Prometheus and Alertmanager on the files of deploy/, made quicker in a way that changes no rule's meaning.

What is changed, and nothing else: ports and paths; every interval to a second; every `for:`, range and offset in a
rule divided by 3,600, at least 1 s and 5 s. Thresholds, labels, joins and words are those that ship.
"""

from __future__ import annotations

import http.client
import json
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml

from support.market import PROJECT

DEPLOY = PROJECT / "deploy"
RULES = sorted((DEPLOY / "prometheus" / "rules").glob("*.yml"))
DIVISOR = 3600
FOR_MIN_S, RANGE_MIN_S = 1, 5
DEADLINE_S = 90.0
_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def shrunk(duration: str, least_s: int) -> str:
    """Return a duration divided, in whole seconds, at least `least_s`."""
    parts = re.findall(r"(\d+)(ms|[smhdw])", duration)
    assert "".join(a + b for a, b in parts) == duration, duration
    return f"{max(least_s, round(sum(int(count) * _UNITS[unit] for count, unit in parts) / DIVISOR))}s"


def quickened(rules: dict[str, Any]) -> dict[str, Any]:
    """Return a rule file with its `for:` and ranges divided; all else is as it was."""
    for group in rules["groups"]:
        for rule in group["rules"]:
            if "for" in rule:
                rule["for"] = shrunk(rule["for"], FOR_MIN_S)
            rule["expr"] = re.sub(
                r"(\[|offset )([0-9a-z]+)", lambda found: found[1] + shrunk(found[2], RANGE_MIN_S), str(rule["expr"])
            )
    return rules


def alert_rules() -> dict[str, dict[str, Any]]:
    """Return the alert rules that ship, by name."""
    found: dict[str, dict[str, Any]] = {}
    for path in RULES:
        for group in yaml.safe_load(path.read_text())["groups"]:
            for rule in group["rules"]:
                if "alert" in rule:
                    assert rule["alert"] not in found, rule["alert"]
                    found[rule["alert"]] = rule
    return found


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Webhook:
    """What whoever is on call receives: every notification, in its order. It can be told to refuse."""

    port: int = 0
    status: int = 200
    arrivals: list[tuple[str, str, dict[str, str], dict[str, str]]] = field(default_factory=list)

    def got(self, alert: str, **labels: str) -> bool:
        """Return whether an alert arrived, firing."""
        return any(
            (name["alertname"], status) == (alert, "firing") and labels.items() <= name.items()
            for _, status, name, _ in list(self.arrivals)
        )

    def is_over(self, alert: str, **labels: str) -> bool:
        """Return whether an alert arrived, and of each of its label sets the last word is that it is over."""
        last = {
            tuple(sorted(name.items())): status
            for _, status, name, _ in list(self.arrivals)
            if name["alertname"] == alert and labels.items() <= name.items()
        }
        return set(last.values()) == {"resolved"}


@contextmanager
def webhook() -> Iterator[Webhook]:
    """Serve one until the end."""
    hook = Webhook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            document = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if hook.status == 200:
                for each in document["alerts"]:
                    if "status" in each:  # Alertmanager's; a run's own alerts are not kept
                        hook.arrivals.append((self.path, each["status"], each["labels"], each["annotations"]))
            self.send_response(hook.status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        hook.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield hook
        finally:
            server.shutdown()
            thread.join()


class Monitoring:
    """Prometheus and Alertmanager below a folder, on free ports, each with its own data."""

    def __init__(self, folder: Path, file_sd: Path, hook: Webhook) -> None:
        self.folder = folder
        self.port, self.alertmanager_port = free_port(), free_port()
        self._file_sd = file_sd
        self._hook = hook
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        folder.mkdir(parents=True, exist_ok=True)
        self.config = folder / "prometheus.yml"
        self.rules = folder / "rules"
        self.rules.mkdir(exist_ok=True)
        for path in RULES:
            (self.rules / path.name).write_text(yaml.safe_dump(quickened(yaml.safe_load(path.read_text()))))
        self.config.write_text(self._prometheus())
        (folder / "alertmanager.yml").write_text(self._alertmanager())

    def _ported(self, text: str) -> str:
        return text.replace("127.0.0.1:9090", f"127.0.0.1:{self.port}").replace(
            "127.0.0.1:9093", f"127.0.0.1:{self.alertmanager_port}"
        )

    def _prometheus(self) -> str:
        text = self._ported((DEPLOY / "prometheus" / "prometheus.yml").read_text())
        text = text.replace("../../runtime/metrics/file_sd", str(self._file_sd))
        return re.sub(r"^(\s*(?:scrape_interval|scrape_timeout|evaluation_interval|refresh_interval)): .*$", r"\1: 1s",
                      text, flags=re.MULTILINE)  # fmt: skip

    def _alertmanager(self) -> str:
        text = (DEPLOY / "alertmanager" / "alertmanager.yml").read_text()
        text = text.replace("127.0.0.1:9466", f"127.0.0.1:{self._hook.port}")
        text = re.sub(r"^(\s*group_wait): .*$", r"\1: 0s", text, flags=re.MULTILINE)
        return re.sub(r"^(\s*group_interval): .*$", r"\1: 1s", text, flags=re.MULTILINE)

    def start_alertmanager(self, port: int | None = None) -> None:
        """Start Alertmanager, or another one on a port of its own."""
        port = port or self.alertmanager_port
        self._start(f"alertmanager-{port}", "prometheus-alertmanager", "--config.file", "alertmanager.yml",
                    "--storage.path", f"alertmanager-{port}", "--web.listen-address", f"127.0.0.1:{port}",
                    "--cluster.listen-address", "")  # fmt: skip

    def start_prometheus(self) -> None:
        """Start Prometheus."""
        self._start("prometheus", "prometheus", "--config.file", "prometheus.yml", "--storage.tsdb.path", "data",
                    "--web.listen-address", f"127.0.0.1:{self.port}", "--web.enable-lifecycle",
                    "--rules.alert.resend-delay", "1s")  # fmt: skip

    def start(self) -> None:
        """Start both and wait until they answer."""
        self.start_alertmanager()
        self.start_prometheus()
        self.until(lambda: self.ready(self.port) and self.ready(self.alertmanager_port), "they did not get ready")

    def reload(self) -> None:
        """Let Prometheus read its configuration again."""
        self._processes["prometheus"].send_signal(signal.SIGHUP)

    def pid(self, name: str = "prometheus") -> int:
        """Return the id of a process."""
        return self._processes[name].pid

    def stop(self) -> None:
        """End everything that was started."""
        for process in self._processes.values():
            process.send_signal(signal.SIGCONT)
            process.terminate()
        for process in self._processes.values():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _start(self, name: str, *command: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log)

    def ready(self, port: int) -> bool:
        """Return whether one of the two answers."""
        try:
            return self._get(port, "/-/ready")[0] == 200
        except OSError:
            return False

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the samples of an instant query."""
        status, body = self._get(self.port, f"/api/v1/query?query={quote(expression)}")
        document = json.loads(body)
        assert (status, document["status"]) == (200, "success"), document
        return list(document["data"]["result"])

    def value(self, expression: str) -> float | None:
        """Return the value of the only sample there is, if there is one."""
        found = self.query(expression)
        assert len(found) < 2, found
        return float(found[0]["value"][1]) if found else None

    def firing(self) -> set[str]:
        """Return the names of the alerts that fire now."""
        return {each["metric"]["alertname"] for each in self.query('ALERTS{alertstate="firing"}')}

    @staticmethod
    def _get(port: int, path: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    @staticmethod
    def until(condition: Any, what: str, deadline_s: float = DEADLINE_S) -> None:
        """Wait for a condition; fail with `what` after the deadline."""
        deadline = time.monotonic() + deadline_s
        while not condition():
            assert time.monotonic() < deadline, what
            time.sleep(0.1)

    def arrives(self, *alerts: str, **labels: str) -> None:
        """Wait until each alert arrived at the webhook, firing."""
        for alert in alerts:
            self.until(lambda alert=alert: self._hook.got(alert, **labels), f"{alert} {labels} did not arrive")

    def clears(self, *alerts: str, **labels: str) -> None:
        """Wait until the webhook was told that each alert is over."""
        for alert in alerts:
            self.until(lambda alert=alert: self._hook.is_over(alert, **labels), f"{alert} {labels} is not over")
