"""Who a process runs as: passwd and group of the image, read without trusting either.

The files are an image author's input: they are opened so that no symlink leads out of the root file system,
read up to a bound, and a number is always a number, never a name that looks like one (CVE-2024-40635,
CVE-2026-46680).
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass

from pycri import errors, syscalls

MAX_FILE_BYTES = 4 << 20
_MAX_ID = 2**31 - 1  # what runc takes


@dataclass(frozen=True)
class UserFiles:
    """/etc/passwd and /etc/group of a root file system; empty where there is none."""

    passwd: bytes = b""
    group: bytes = b""


@dataclass(frozen=True)
class User:
    """``groups`` are the additional ones, the primary included (CVE-2022-36109)."""

    uid: int
    gid: int
    groups: tuple[int, ...] = ()


def read_files(root: str) -> UserFiles:
    """Read both files below the directory ``root``. Raises OSError, InvalidArgument."""
    descriptor = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return UserFiles(_read(descriptor, "etc/passwd"), _read(descriptor, "etc/group"))
    finally:
        os.close(descriptor)


def resolve(user: str, gid: int | None, files: UserFiles, supplemental: Iterable[int], strict: bool) -> User:
    """The ids of ``user`` (``uid``, ``name``, ``uid:gid``, ``name:group`` or empty) and its groups.

    ``gid`` overrides the primary group. With ``strict`` only ``supplemental`` groups are added, else those
    of /etc/group too (CRI SupplementalGroupsPolicy). Raises InvalidArgument.
    """
    name, _, group = (user or "0").partition(":")
    entry = _passwd_entry(name, files.passwd)
    if entry is None:
        if not _is_number(name):
            raise errors.InvalidArgument(f'user "{name}" is not in the image\'s /etc/passwd')
        entry = (name, _id(name), 0)
    login, uid, primary = entry
    if group:
        primary = _group_id(group, files.group)
    if gid is not None:
        primary = _id(str(gid))
    groups = {primary, *(_id(str(number)) for number in supplemental)}
    if not strict:
        groups |= _memberships(login, files.group)
    return User(uid, primary, tuple(sorted(groups)))


def _passwd_entry(name: str, passwd: bytes) -> tuple[str, int, int] | None:
    column = 2 if _is_number(name) else 0
    wanted = str(int(name)) if _is_number(name) else name
    for line in passwd.decode(errors="replace").splitlines():
        fields = line.strip().split(":")
        if len(fields) >= 4 and fields[column] == wanted and not line.startswith("#"):
            return fields[0], _id(fields[2]), _id(fields[3])
    return None


def _group_id(group: str, file: bytes) -> int:
    if _is_number(group):
        return _id(group)
    for fields in _groups(file):
        if fields[0] == group:
            return _id(fields[2])
    raise errors.InvalidArgument(f'group "{group}" is not in the image\'s /etc/group')


def _memberships(login: str, file: bytes) -> set[int]:
    return {_id(fields[2]) for fields in _groups(file) if login in fields[3].split(",")}


def _groups(file: bytes) -> list[list[str]]:
    rows = (line.strip().split(":") for line in file.decode(errors="replace").splitlines())
    return [row for row in rows if len(row) >= 4 and re.fullmatch(r"\d+", row[2], re.ASCII)]


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _id(text: str) -> int:
    if not re.fullmatch(r"\d{1,10}", text, re.ASCII) or int(text) > _MAX_ID:
        raise errors.InvalidArgument(f'"{text}" is not a user or group id (0 to {_MAX_ID})')
    return int(text)


def _read(root: int, path: str) -> bytes:
    try:
        descriptor = _open(root, path)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            return b""
        raise
    with os.fdopen(descriptor, "rb") as file:
        data = file.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise errors.InvalidArgument(f"the image's /{path} is larger than {MAX_FILE_BYTES >> 20} MiB")
    return data


def _open(root: int, path: str) -> int:
    # O_NONBLOCK: the image may have put a FIFO there
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        return syscalls.open_in_root(root, path, flags)
    except OSError as error:
        if error.errno != errno.ENOSYS:
            raise
    # before Linux 5.6: no symlinks at all
    directory, name = path.split("/")
    parent = os.open(directory, os.O_PATH | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=root)
    try:
        return os.open(name, flags | os.O_NOFOLLOW, dir_fd=parent)
    finally:
        os.close(parent)
