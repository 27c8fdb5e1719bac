"""What this machine can do: the only reason for which a test may be skipped, probed once a session."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from support.mounts import unmount


def needs(*capabilities: str) -> pytest.MarkDecorator:
    """Return the mark that skips a test where one of the named capabilities is missing."""
    missing = [name for name in capabilities if not _PROBES[name]()]
    return pytest.mark.skipif(bool(missing), reason=f"this machine lacks: {', '.join(missing)}")


@functools.cache
def has_root() -> bool:
    """Tell whether tests may mount, change owners and ignore modes."""
    return os.geteuid() == 0


@functools.cache
def has_strace() -> bool:
    """Tell whether strace is there and may trace and tamper with a child."""
    if shutil.which("strace") is None:
        return False
    probe = ["strace", "-qq", "-o", "/dev/null", "-e", "inject=getcwd:error=EIO:when=1", "true"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


@functools.cache
def has_tmpfs() -> bool:
    """Tell whether a small tmpfs can be mounted."""
    return has_root() and _can_mount(["-t", "tmpfs", "-o", "size=64k", "none"])


@functools.cache
def has_ext4() -> bool:
    """Tell whether an ext4 image can be made and mounted over a loop device."""
    return _can_loop_mount("mkfs.ext4", ["-qF"], "64M")


@functools.cache
def has_xfs() -> bool:
    """Tell whether an xfs image can be made and mounted over a loop device."""
    return _can_loop_mount("mkfs.xfs", ["-q"], "300M")


@functools.cache
def has_freezing() -> bool:
    """Tell whether a file system can be made to hang."""
    return has_ext4() and shutil.which("fsfreeze") is not None


@functools.cache
def has_immutable_flag() -> bool:
    """Tell whether `chattr +i` works where temporary files are."""
    if not has_root() or shutil.which("chattr") is None:
        return False
    with tempfile.NamedTemporaryFile() as file:
        can = subprocess.run(["chattr", "+i", file.name], capture_output=True, check=False).returncode == 0
        subprocess.run(["chattr", "-i", file.name], capture_output=True, check=False)
    return can


@functools.cache
def has_network_block_device() -> bool:
    """Tell whether a disk that fails on demand can be served: nbdkit, nbdfuse, FUSE and a loop device."""
    tools = all(shutil.which(tool) for tool in ("nbdkit", "nbdfuse"))
    return tools and Path("/dev/fuse").exists() and has_ext4()


@functools.cache
def has_namespaces() -> bool:
    """Tell whether a network namespace can be made."""
    if not has_root() or shutil.which("unshare") is None:
        return False
    return subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False).returncode == 0


@functools.cache
def chromium() -> str | None:
    """Return the browser that page tests drive, if there is one."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def _can_loop_mount(maker: str, options: list[str], size: str) -> bool:
    if not has_root() or shutil.which(maker) is None:
        return False
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder, "image")
        image.touch()
        os.truncate(image, int(size[:-1]) << 20)
        made = subprocess.run([maker, *options, str(image)], capture_output=True, check=False)
        return made.returncode == 0 and _can_mount(["-o", "loop", str(image)])


def _can_mount(arguments: list[str]) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        mounted = subprocess.run(["mount", *arguments, folder], capture_output=True, check=False).returncode == 0
        if mounted:
            unmount(Path(folder))
        return mounted


_MONITORING = ("prometheus", "promtool", "prometheus-alertmanager", "amtool")
_PROBES = {
    "root": has_root,
    "strace": has_strace,
    "tmpfs": has_tmpfs,
    "ext4": has_ext4,
    "xfs": has_xfs,
    "freezing": has_freezing,
    "immutable flag": has_immutable_flag,
    "network block device": has_network_block_device,
    "namespaces": has_namespaces,
    "prometheus": lambda: all(shutil.which(tool) for tool in _MONITORING),
    "chromium": lambda: chromium() is not None,
}
