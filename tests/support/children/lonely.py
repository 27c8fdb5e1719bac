"""Run a command in a network namespace that has only loopback; print how often something looked for another address.

Called as `unshare --net python lonely.py COMMAND...`: the namespace is there already, its loopback is down.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import socket
import struct
import subprocess
import sys
from pathlib import Path

SET_FLAGS, UP_AND_RUNNING = 0x8914, 0x41


def raise_loopback() -> None:
    """Bring the namespace's loopback up."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SET_FLAGS, struct.pack("16sh14x", b"lo", UP_AND_RUNNING))


def lost() -> int:
    """Return how many packets found no route in this namespace: the kernel counts every one."""
    names, values = (line.split() for line in Path("/proc/net/snmp").read_text().splitlines() if line.startswith("Ip:"))
    return int(values[names.index("OutNoRoutes")])


def main() -> None:
    """Run the command; then look for another address, so that the count is known to count."""
    raise_loopback()
    before = lost()
    done = subprocess.run(sys.argv[1:], capture_output=True, text=True, check=False)
    after = lost()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket, contextlib.suppress(OSError):
        any_socket.sendto(b"x", ("192.0.2.1", 53))
    print(json.dumps({
        "exit_code": done.returncode, "stdout": done.stdout, "stderr": done.stderr, "lost": after - before,
        "lost_when_tried": lost() - after,
    }))  # fmt: skip


main()
