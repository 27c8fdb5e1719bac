"""A process that raises one page and waits to be killed: alert_raiser.py FOLDER RUN_ID PORT [ESCALATE_S]."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from tc.alert.alert import AlertKind
from tc.alert.desk import AlertDesk, log_of
from tc.alert.sinks import sinks_of

folder, run_id, port = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
target = {"TC_ALERT_PAGER": f"http://127.0.0.1:{port}/"}
desk = AlertDesk(folder, sinks_of(["pager"], target, log_of(folder, run_id)), run_id=run_id)
alert = desk.raise_alert(AlertKind.node_dead, "the node is gone", where="node 7")
assert alert is not None
print(alert.alert_id, flush=True)
time.sleep(3600)
