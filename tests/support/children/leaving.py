"""A process that leaves another one behind, which holds its standard output; it says which, and waits for its end."""

from __future__ import annotations

import json
import subprocess
import sys

left = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(120)"], stdin=subprocess.DEVNULL)
print(json.dumps({"left": left.pid}), flush=True)
sys.stdin.read()
