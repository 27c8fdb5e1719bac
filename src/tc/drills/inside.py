"""What the processes of a drill's own run can carry inside, for faults that no process can do to another without root.

A hand does nothing until the drill writes the file that it watches. Then what fails is real: the system call, for all
code of the process, that of the engine's Rust libraries too.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import platform
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from tc.clock import SYSTEM_CLOCK
from tc.durable import read_artifact
from tc.errors import TcError

Hand = Callable[[Path], None]
CLOCK, SYNC = "clock", "sync"
POLL_S = 0.02
_LIBC = ctypes.CDLL(None, use_errno=True)
_ALL_ACCESS = mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC
_OF_OUR_OWN = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
_OFFSET_AT = 64
"""Behind the code."""
_NO_NEW_PRIVILEGES, _SET_FILTER, _ALL_THREADS = 38, 1, 1
_LOAD, _IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _FAIL = 0x7FFF0000, 0x00050000
_MACHINES = {"x86_64": (0xC000003E, 317, (74, 75)), "aarch64": (0xC00000B7, 277, (82, 83))}
"""By machine: what the kernel calls it, the number of `seccomp`, those of `fsync` and `fdatasync`."""


class _Step(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_ushort),
        ("true", ctypes.c_ubyte),
        ("false", ctypes.c_ubyte),
        ("value", ctypes.c_uint32),
    )


class _Filter(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.POINTER(_Step)))


def can_step_clock() -> bool:
    """Tell whether this machine is one that the code below is written for."""
    return platform.machine() == "x86_64"


def can_fail_syncs() -> bool:
    """Tell whether this machine is one whose system calls are known here."""
    return platform.machine() in _MACHINES


def carry_clock(folder: Path) -> None:
    """Let the wall clock of this process be off by as many seconds as `folder/clock` says, from when it says so."""
    offset = _replace_clock()

    def follow() -> None:
        while True:
            offset.value = int(_said(folder / CLOCK) or 0)
            SYSTEM_CLOCK.sleep(POLL_S)

    threading.Thread(target=follow, name="hand on the clock", daemon=True).start()


def carry_sync(folder: Path) -> None:
    """Let every sync of this process fail with EIO once `folder/sync` names it; that ends with the process alone."""

    def wait() -> None:
        while _said(folder / SYNC) != str(os.getpid()):
            SYSTEM_CLOCK.sleep(POLL_S)
        _fail_syncs()

    threading.Thread(target=wait, name="hand on the disk", daemon=True).start()


def _said(path: Path) -> str:
    try:
        return read_artifact(path).decode()
    except TcError:
        return ""


def _replace_clock() -> ctypes.c_int64:
    """Put code of our own in the place of the C library's `clock_gettime`, through which everybody reads the clock.

    It asks the kernel and, of CLOCK_REALTIME alone, adds the seconds in what is returned. Its memory is never given
    back: threads read the clock until the very end of the process.
    """
    address = ctypes.cast(_LIBC.clock_gettime, ctypes.c_void_p).value
    _LIBC.mmap.restype = ctypes.c_void_p
    place = _LIBC.mmap(None, ctypes.c_size_t(mmap.PAGESIZE), _ALL_ACCESS, _OF_OUR_OWN, -1, ctypes.c_long(0))
    assert address is not None
    code = (
        b"\xb8\xe4\x00\x00\x00\x0f\x05"  # mov eax, 228; syscall
        b"\x85\xc0\x75\x14"  # test eax, eax; jnz end
        b"\x85\xff\x75\x10"  # test edi, edi; jnz end
        b"\x48\xb9" + (place + _OFFSET_AT).to_bytes(8, "little")  # mov rcx, offset
        + b"\x48\x8b\x09\x48\x01\x0e"  # mov rcx, [rcx]; add [rsi], rcx
        b"\xc3"  # end: ret
    )  # fmt: skip
    ctypes.memmove(place, code, len(code))
    jump = b"\x48\xb8" + place.to_bytes(8, "little") + b"\xff\xe0"  # mov rax, place; jmp rax
    page = address - address % mmap.PAGESIZE
    _must(_LIBC.mprotect(ctypes.c_void_p(page), ctypes.c_size_t(address + len(jump) - page), _ALL_ACCESS))
    ctypes.memmove(address, jump, len(jump))
    return ctypes.c_int64.from_address(place + _OFFSET_AT)


def _fail_syncs() -> None:
    """Let the kernel answer EIO to `fsync` and `fdatasync` of every thread; nothing takes that back."""
    machine, number, syncs = _MACHINES[platform.machine()]
    steps = (_Step * 7)(
        _Step(_LOAD, 0, 0, 4), _Step(_IF_EQUAL, 0, 3, machine),
        _Step(_LOAD, 0, 0, 0), _Step(_IF_EQUAL, 2, 0, syncs[0]), _Step(_IF_EQUAL, 1, 0, syncs[1]),
        _Step(_RETURN, 0, 0, _ALLOW), _Step(_RETURN, 0, 0, _FAIL | errno.EIO),
    )  # fmt: skip
    program = _Filter(len(steps), steps)
    _must(_LIBC.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0))
    _must(_LIBC.syscall(number, _SET_FILTER, _ALL_THREADS, ctypes.byref(program)))


def _must(result: int) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


HANDS: Mapping[str, Mapping[str, Hand]] = {
    CLOCK: dict.fromkeys(("run", "runs", "node", "agent", "kill"), carry_clock),
    SYNC: {"node": carry_sync},
}
"""By hand, the commands whose processes carry it; the venue is another machine's."""
