"""A web server outside of everything: it stamps every alert that arrives, and misbehaves as it is told.

    alert_observer.py FILE MODE [SECONDS]     prints its port

Modes: ok; slow (after SECONDS); refuse (503); hang (never answers); drip (a byte a second); move (307, to itself);
picky (refuses whatever holds the word arsenic, after SECONDS).
`FILE` gets a line an alert: `<ns> <alert_id> <escalation> <latency_ns> <kind> <event> <key>`.
"""

from __future__ import annotations

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

path, mode = sys.argv[1:3]
seconds = float(sys.argv[3]) if len(sys.argv) > 3 else 0.0
out = open(path, "a", buffering=1)  # noqa: SIM115 - for life


class Handler(BaseHTTPRequestHandler):
    """Answers as the mode says."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/elsewhere":
            out.write("0 redirected 0 0 - - -\n")
        if mode == "hang":
            time.sleep(3600)
        if mode == "drip":
            for byte in b"HTTP/1.1 200 OK and more that never ends":
                self.wfile.write(bytes([byte]))
                time.sleep(1)
        if mode == "slow":
            time.sleep(seconds)
        is_poison = mode == "picky" and b"arsenic" in body
        if is_poison:
            time.sleep(seconds)
        if mode in ("ok", "slow", "picky") and not is_poison:
            now = time.time_ns()
            for alert in json.loads(body)["alerts"]:
                facts = [now, *(alert[name] for name in ("alert_id", "escalation", "latency_ns", "kind"))]
                facts += [alert.get("event", "-"), alert["key"].replace(" ", "_") or "-"]
                out.write(" ".join(map(str, facts)) + "\n")
        self.send_response(400 if is_poison else {"refuse": 503, "move": 307}.get(mode, 204))
        self.send_header("Location", "/elsewhere")
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """Serves every request on a thread."""

    daemon_threads = True
    request_queue_size = 128


server = Server(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
