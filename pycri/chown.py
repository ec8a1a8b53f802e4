"""Gives a whole root file system to the ids of a user namespace: every file's owner and group, mapped.

Changing an owner takes set-user-ID bits and file capabilities away (chown(2)): both are put back, the
capabilities in their third version, which holds in one root user's namespace only (capabilities(7)).
"""

from __future__ import annotations

import errno
import os
import stat
import struct

from pycri.container.spec.id_mappings import IdMappings, host_id

_CAPABILITY = "security.capability"
_VERSION_2, _VERSION_3, _VERSION_MASK = 0x02000000, 0x03000000, 0xFF000000
_NONE = (errno.ENODATA, errno.ENOTSUP)


def tree(root: str, mappings: IdMappings) -> None:
    """Change ``root`` and all below it; symlinks are changed, never followed. Raises OSError.

    An id that is not mapped is left: inside, such a file is nobody's.
    """
    done: dict[tuple[int, int], tuple[int, int]] = {}
    for _, directories, files, descriptor in os.fwalk(root, follow_symlinks=False):
        for name in (*directories, *files):
            _change(descriptor, name, mappings, done)
    _change(None, root, mappings, done)


def _change(
    directory: int | None, name: str, mappings: IdMappings, done: dict[tuple[int, int], tuple[int, int]]
) -> None:
    info = os.stat(name, dir_fd=directory, follow_symlinks=False)
    owner = _mapped(info, mappings)
    linked = info.st_nlink > 1 and not stat.S_ISDIR(info.st_mode)
    if linked and done.get((info.st_dev, info.st_ino)) == (info.st_uid, info.st_gid):
        return  # another name of a file that has been changed; on overlay each name is a file of its own
    path = name if directory is None else f"/proc/self/fd/{directory}/{name}"
    regular = stat.S_ISREG(info.st_mode)
    capability = _capability(path) if regular else b""
    os.chown(name, *owner, dir_fd=directory, follow_symlinks=False)
    if linked:
        done[info.st_dev, info.st_ino] = owner
    if regular and info.st_mode & (stat.S_ISUID | stat.S_ISGID):
        os.chmod(name, stat.S_IMODE(info.st_mode), dir_fd=directory)
    if capability:
        os.setxattr(path, _CAPABILITY, of_namespace(capability, mappings.root[0]), follow_symlinks=False)


def _mapped(info: os.stat_result, mappings: IdMappings) -> tuple[int, int]:
    uid, gid = host_id(mappings.uids, info.st_uid), host_id(mappings.gids, info.st_gid)
    return info.st_uid if uid is None else uid, info.st_gid if gid is None else gid


def _capability(path: str) -> bytes:
    try:
        return os.getxattr(path, _CAPABILITY, follow_symlinks=False)
    except OSError as error:
        if error.errno in _NONE:
            return b""
        raise


def of_namespace(capability: bytes, root_uid: int) -> bytes:
    """The extended attribute (linux/capability.h, vfs_ns_cap_data) for the namespace whose root is that."""
    (magic,) = struct.unpack_from("<I", capability)
    if magic & _VERSION_MASK not in (_VERSION_2, _VERSION_3):
        return capability
    return (
        struct.pack("<I", _VERSION_3 | magic & ~_VERSION_MASK)
        + capability[4:20]
        + struct.pack("<I", root_uid)
    )
