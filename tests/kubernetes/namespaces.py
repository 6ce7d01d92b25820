"""Linux namespaces and mounts, by the calls of libc that Python 3.11 does not have itself.

What is unshared holds for the calling thread: call it in processes that have only one. See unshare(2), mount(2),
prctl(2).
"""

import ctypes
import fcntl
import os
import signal
import socket
import struct
from pathlib import Path

NEW_MOUNTS, NEW_USERS, NEW_PROCESSES, NEW_NETWORK = 0x20000, 0x10000000, 0x20000000, 0x40000000
READ_ONLY, NO_SUID, REMOUNT, BIND, MOVE, RECURSIVE, PRIVATE = 1, 2, 32, 4096, 8192, 16384, 1 << 18
_PR_SET_PDEATHSIG = 1
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1

_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent() -> None:
    """Have the kernel kill this process when the thread that started it ends."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def unshare(namespaces: int) -> None:
    """Leave the `namespaces`. Whoever is not root gets a user namespace besides, and is root in it. Raises OSError."""
    uid, gid = os.geteuid(), os.getegid()
    _call("unshare", namespaces | (NEW_USERS if uid else 0))
    if uid:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
        Path("/proc/self/gid_map").write_text(f"0 {gid} 1")


def mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    """As mount(2), an empty text being no text. Raises OSError, which names the target."""
    arguments = (os.fsencode(source) or None, os.fsencode(target), kind.encode() or None)
    _call("mount", *arguments, ctypes.c_ulong(flags), data.encode() or None, what=f"mount on {target}")


def raise_loopback() -> None:
    """Bring `lo` up, which is down in a new network namespace."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        answer = fcntl.ioctl(any_socket, _SIOCGIFFLAGS, struct.pack("16sH14x", b"lo", 0))
        flags = struct.unpack("16sH14x", answer)[1]
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | _IFF_UP))


def _call(function: str, *arguments: object, what: str = "") -> None:
    if getattr(_libc, function)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what or function)
