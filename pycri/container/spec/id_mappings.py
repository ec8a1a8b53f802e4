"""The user namespace of a pod (CRI ``UserNamespace``): which ids inside are which on the host."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from pycri import errors
from pycri._generated import cri_pb2 as cri

_MAX_RANGES = 340  # the kernel's, of /proc/PID/uid_map (user_namespaces(7))
_MAX_ID = 2**32 - 2


class Range(NamedTuple):
    """``size`` ids from ``inside`` on are the host's from ``outside`` on."""

    inside: int
    outside: int
    size: int

    def __str__(self) -> str:
        return f"{self.inside}:{self.outside}:{self.size}"


@dataclass(frozen=True)
class IdMappings:
    """Of users and of groups; id 0 is mapped in both."""

    uids: tuple[Range, ...]
    gids: tuple[Range, ...]

    @property
    def root(self) -> tuple[int, int]:
        """The host's ids of the pod's root user and group."""
        uid, gid = host_id(self.uids, 0), host_id(self.gids, 0)
        assert uid is not None
        assert gid is not None
        return uid, gid

    def oci(self) -> dict[str, Any]:
        """As ``linux.uidMappings`` and ``linux.gidMappings``, or a mount's, of an OCI spec."""
        return {"uidMappings": _oci(self.uids), "gidMappings": _oci(self.gids)}


def of_pod(options: cri.NamespaceOption) -> IdMappings | None:
    """The mappings asked for; None for a pod in the host's user namespace. Raises InvalidArgument."""
    if not options.HasField("userns_options") or options.userns_options.mode == cri.NODE:
        return None
    wanted = options.userns_options
    if wanted.mode != cri.POD:
        name = cri.NamespaceMode.Name(wanted.mode)
        raise errors.InvalidArgument(f"the mode of a user namespace is POD or NODE, not {name}")
    for kind, mode in (("PID", options.pid), ("IPC", options.ipc)):
        if mode == cri.NODE:
            raise errors.InvalidArgument(
                f"a pod with a user namespace cannot use the host's {kind} namespace: set hostUsers: true"
            )
    mappings = IdMappings(_ranges("uids", wanted.uids), _ranges("gids", wanted.gids))
    for what, ranges in (("uids", mappings.uids), ("gids", mappings.gids)):
        if host_id(ranges, 0) is None:
            raise errors.InvalidArgument(f"the user namespace's {what} do not map id 0")
    return mappings


def of_mount(mount: cri.Mount) -> IdMappings | None:
    """The mappings of an id-mapped mount; None for a plain one. Raises InvalidArgument."""
    if not mount.uidMappings and not mount.gidMappings:
        return None
    return IdMappings(_ranges("uidMappings", mount.uidMappings), _ranges("gidMappings", mount.gidMappings))


def host_id(ranges: Iterable[Range], inside: int) -> int | None:
    """The host's id of one inside; None if it is not mapped."""
    for item in ranges:
        if item.inside <= inside < item.inside + item.size:
            return item.outside + inside - item.inside
    return None


def _ranges(what: str, given: Iterable[cri.IDMapping]) -> tuple[Range, ...]:
    found = tuple(sorted(Range(item.container_id, item.host_id, item.length) for item in given))
    if not found or len(found) > _MAX_RANGES:
        raise errors.InvalidArgument(f"{what} of an id mapping need one to {_MAX_RANGES} ranges")
    for item in found:
        if not item.size or max(item.inside, item.outside) + item.size - 1 > _MAX_ID:
            raise errors.InvalidArgument(f"{what}: the range {item} is empty or leaves the ids there are")
    for side in (0, 1):
        ordered = sorted(found, key=lambda item: item[side])
        for one, other in itertools.pairwise(ordered):
            if one[side] + one.size > other[side]:
                raise errors.InvalidArgument(f"{what}: the ranges {one} and {other} overlap")
    return found


def _oci(ranges: Iterable[Range]) -> list[dict[str, int]]:
    return [{"containerID": item.inside, "hostID": item.outside, "size": item.size} for item in ranges]
