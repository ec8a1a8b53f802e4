"""Devices of a container: nodes to make and the cgroup's rules."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pycri import errors
from pycri._generated import cri_pb2 as cri

_DENY_ALL = {"allow": False, "access": "rwm"}
_ALLOW_ALL = {"allow": True, "access": "rwm"}


def of_container(
    wanted: Iterable[cri.Device], privileged: bool
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """OCI ``linux.devices`` and ``linux.resources.devices``. Raises InvalidArgument.

    The runtime itself adds /dev/null, zero, full, random, urandom, tty, console and ptmx.
    """
    if privileged:
        nodes = [node for node in _host_devices() if node is not None]
        given = {node["path"] for node in nodes}
        extra = [node for device in wanted for node, _ in _expand(device) if node["path"] not in given]
        return nodes + extra, [_ALLOW_ALL]
    nodes, rules = [], [_DENY_ALL]
    for device in wanted:
        for node, access in _expand(device):
            nodes.append(node)
            rule = {"allow": True, "type": node["type"], "major": node["major"], "minor": node["minor"]}
            rules.append({**rule, "access": access})
    return nodes, rules


def _expand(device: cri.Device) -> Iterator[tuple[dict[str, Any], str]]:
    """One device, or every device below a directory."""
    access = device.permissions or "rwm"
    if not re.fullmatch(r"[rwm]{1,3}", access):
        raise errors.InvalidArgument(f'device {device.host_path}: permissions "{access}" are not of "rwm"')
    source, target = os.path.realpath(device.host_path), device.container_path or device.host_path
    if not target.startswith("/"):
        raise errors.InvalidArgument(f'device path in the container "{target}" must be absolute')
    if Path(source).is_dir():
        for path in sorted(Path(source).rglob("*")):
            node = host_node(str(path), f"{target.rstrip('/')}/{path.relative_to(source)}")
            if node is not None:
                yield node, access
        return
    node = host_node(source, target)
    if node is None:
        raise errors.InvalidArgument(f"{device.host_path} is not a device on this host")
    yield node, access


def _host_devices() -> Iterator[dict[str, Any] | None]:
    """Every device node below /dev, except what the container gets its own of."""
    own = {"pts", "shm", "fd", "mqueue", ".lxc", ".lxd-mounts", ".udev", "console", "ptmx"}
    for path in sorted(Path("/dev").iterdir()):
        if path.name in own:
            continue
        if path.is_dir() and not path.is_symlink():
            for below in sorted(path.rglob("*")):
                yield host_node(str(below), str(below), follow=False)
        else:
            yield host_node(str(path), str(path), follow=False)


def host_node(source: str, target: str, follow: bool = True) -> dict[str, Any] | None:
    """The OCI device at ``source``, to appear as ``target``; None if it is no device."""
    try:
        info = Path(source).stat(follow_symlinks=follow)
    except OSError:
        return None  # it went away, or never was: the caller says which matters
    if stat.S_ISCHR(info.st_mode):
        kind = "c"
    elif stat.S_ISBLK(info.st_mode):
        kind = "b"
    else:
        return None
    return {
        "path": target,
        "type": kind,
        "major": os.major(info.st_rdev),
        "minor": os.minor(info.st_rdev),
        "fileMode": stat.S_IMODE(info.st_mode),
        "uid": info.st_uid,
        "gid": info.st_gid,
    }
