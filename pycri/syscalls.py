"""The Linux system calls that pycri makes through ctypes, because Python 3.10 lacks them.

Every function raises OSError with the call's own errno; the interpreter lock is released meanwhile.
"""

from __future__ import annotations

import ctypes
import errno
import os

CLONE_FS, CLONE_NEWNS = 0x00000200, 0x00020000
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT, MS_BIND, MS_REC = 1, 2, 4, 8, 32, 4096, 16384
MS_PRIVATE, MS_SHARED = 1 << 18, 1 << 20
MNT_DETACH, UMOUNT_NOFOLLOW = 2, 8

# the same numbers on every architecture
_SYS_OPENAT2, _SYS_MOUNT_SETATTR = 437, 442
_RESOLVE_IN_ROOT, _RESOLVE_NO_MAGICLINKS = 0x10, 0x02
_libc = ctypes.CDLL(None, use_errno=True)


def unshare(flags: int) -> None:
    """unshare(2), for the calling thread."""
    _check(_libc.unshare(ctypes.c_int(flags)), "unshare")


def setns(namespace: int, kind: int) -> None:
    """setns(2), for the calling thread; ``namespace`` is an open descriptor, ``kind`` its CLONE_NEW*."""
    _check(_libc.setns(ctypes.c_int(namespace), ctypes.c_int(kind)), "setns")


def mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    """mount(2)."""
    result = _libc.mount(
        os.fsencode(source),
        os.fsencode(target),
        kind.encode() or None,
        ctypes.c_ulong(flags),
        os.fsencode(data) or None,
    )
    _check(result, target)


def umount(target: str, flags: int = MNT_DETACH | UMOUNT_NOFOLLOW) -> None:
    """umount2(2)."""
    _check(_libc.umount2(os.fsencode(target), ctypes.c_int(flags)), target)


class _OpenHow(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def open_in_root(root: int, path: str, flags: int = os.O_RDONLY) -> int:
    """Open ``path`` as if the directory ``root`` (a descriptor) were ``/``: no symlink leads out of it.

    ENOSYS before Linux 5.6.
    """
    how = _OpenHow(flags | os.O_CLOEXEC, 0, _RESOLVE_IN_ROOT | _RESOLVE_NO_MAGICLINKS)
    result = _libc.syscall(
        ctypes.c_long(_SYS_OPENAT2),
        ctypes.c_int(root),
        os.fsencode(path),
        ctypes.byref(how),
        ctypes.c_size_t(ctypes.sizeof(how)),
    )
    return _check(int(result), path)


def has_mount_setattr() -> bool:
    """Whether the kernel knows mount_setattr(2), as recursive read-only and id-mapped mounts need (5.12)."""
    result = _libc.syscall(
        ctypes.c_long(_SYS_MOUNT_SETATTR),
        ctypes.c_int(-1),
        b"",
        ctypes.c_uint(0),
        None,
        ctypes.c_size_t(0),
    )
    return result == 0 or ctypes.get_errno() != errno.ENOSYS


def _check(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)
    return result
