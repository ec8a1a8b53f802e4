"""Mounts of a container: the kernel's own file systems, the sandbox's files, what the kubelet asks for."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pycri import errors
from pycri._generated import cri_pb2 as cri
from pycri.container.spec import id_mappings
from pycri.runtime_features import Features

_PROPAGATION = {
    cri.PROPAGATION_PRIVATE: "rprivate",
    cri.PROPAGATION_HOST_TO_CONTAINER: "rslave",
    cri.PROPAGATION_BIDIRECTIONAL: "rshared",
}


@dataclass(frozen=True)
class SandboxFiles:
    """Host paths of what every container of a pod gets mounted."""

    hostname: str
    hosts: str
    resolv_conf: str
    shm: str


def of_container(
    wanted: Sequence[cri.Mount],
    files: SandboxFiles,
    *,
    privileged: bool,
    readonly_rootfs: bool,
    features: Features,
    hosts_sys: bool = False,
) -> tuple[list[dict[str, Any]], str]:
    """OCI mounts, parents before children, and ``linux.rootfsPropagation``.

    ``features`` are the handler's runtime's. ``hosts_sys``: a user namespace may not mount the sysfs of a
    network that is not its own, so the host's is bound. Raises InvalidArgument, FailedPrecondition.
    """
    for mount in wanted:
        _validate(mount, features)
    taken = {os.path.normpath(mount.container_path) for mount in wanted}
    found = [mount for mount in kernel_mounts(privileged) if mount["destination"] not in taken]
    if hosts_sys:
        options = [
            "rbind",
            "rprivate",
            "nosuid",
            "noexec",
            "nodev",
            "rro" if features.recursive_read_only else "ro",
        ]
        found = [bind("/sys", "/sys", options) if item["type"] == "sysfs" else item for item in found]
    mode = "ro" if readonly_rootfs else "rw"
    own = {
        "/etc/hostname": (files.hostname, ["rbind", "rprivate", mode]),
        "/etc/hosts": (files.hosts, ["rbind", "rprivate", mode]),
        "/etc/resolv.conf": (files.resolv_conf, ["rbind", "rprivate", mode]),
        "/dev/shm": (files.shm, ["rbind", "rprivate", "rw", "nosuid", "nodev", "noexec"]),
    }
    found += [bind(source, path, options) for path, (source, options) in own.items() if path not in taken]
    found += [_bind(mount) for mount in wanted]
    found.sort(key=lambda mount: str(mount["destination"]).rstrip("/").count("/"))
    return found, _root_propagation(wanted)


def kernel_mounts(privileged: bool) -> list[dict[str, Any]]:
    """/proc, /dev, /sys and what is in them."""
    safe, mode = ["nosuid", "noexec", "nodev"], "rw" if privileged else "ro"
    return [
        _special("/proc", "proc", safe),
        _special("/dev", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
        _special(
            "/dev/pts", "devpts", ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]
        ),
        _special("/dev/mqueue", "mqueue", safe),
        _special("/sys", "sysfs", [*safe, mode]),
        _special("/sys/fs/cgroup", "cgroup", [*safe, "relatime", mode]),
    ]


def bind(source: str, destination: str, options: Iterable[str]) -> dict[str, Any]:
    return {"destination": destination, "type": "bind", "source": source, "options": [*options]}


def _special(destination: str, kind: str, options: list[str]) -> dict[str, Any]:
    return {"destination": destination, "type": kind, "source": kind, "options": options}


def _validate(mount: cri.Mount, features: Features) -> None:
    where = f'mount at "{mount.container_path}"'
    if not mount.container_path.startswith("/") or "\0" in mount.container_path:
        raise errors.InvalidArgument(f"{where}: the path in the container must be absolute")
    if not mount.host_path.startswith("/") or "\0" in mount.host_path:
        raise errors.InvalidArgument(f'{where}: the host path "{mount.host_path}" must be absolute')
    if id_mappings.of_mount(mount) is not None and not features.idmapped_mounts:
        raise errors.InvalidArgument(
            f"{where}: the runtime or the kernel cannot make id-mapped mounts (runc can since 1.2, Linux "
            "since 5.12): set hostUsers: true, or install a newer runtime"
        )
    if mount.recursive_read_only:
        if not mount.readonly or mount.propagation != cri.PROPAGATION_PRIVATE:
            raise errors.InvalidArgument(
                f"{where}: recursive read-only needs readonly and private propagation"
            )
        if not features.recursive_read_only:
            raise errors.InvalidArgument(
                f"RROUnsupported: {where}: the runtime or the kernel cannot mount recursively read-only"
            )


def _bind(mount: cri.Mount) -> dict[str, Any]:
    source = os.path.realpath(mount.host_path)
    if not os.path.lexists(source):
        # as Docker did, and pods have come to rely on it (CRI Mount.host_path)
        Path(source).mkdir(mode=0o755, parents=True)
    _check_propagation(mount, source)
    mode = "rro" if mount.recursive_read_only else "ro" if mount.readonly else "rw"
    found = bind(source, mount.container_path, ["rbind", _PROPAGATION[mount.propagation], mode])
    mappings = id_mappings.of_mount(mount)
    return found if mappings is None else {**found, **mappings.oci()}


def _root_propagation(wanted: Iterable[cri.Mount]) -> str:
    """The container's root must let through what its mounts are to propagate."""
    modes = {mount.propagation for mount in wanted}
    if cri.PROPAGATION_BIDIRECTIONAL in modes:
        return "rshared"
    return "rslave" if cri.PROPAGATION_HOST_TO_CONTAINER in modes else ""


def _check_propagation(mount: cri.Mount, source: str) -> None:
    if mount.propagation == cri.PROPAGATION_PRIVATE:
        return
    point, optional = _mount_of(source)
    shared, slave = "shared:" in optional, "master:" in optional
    if mount.propagation == cri.PROPAGATION_BIDIRECTIONAL and not shared:
        raise errors.FailedPrecondition(
            f"{mount.host_path} is on {point}, not a shared mount, as bidirectional propagation needs"
        )
    if mount.propagation == cri.PROPAGATION_HOST_TO_CONTAINER and not (shared or slave):
        raise errors.FailedPrecondition(
            f"{mount.host_path} is on {point}, which is neither a shared nor a slave mount, as propagation "
            "from the host needs"
        )


def _mount_of(path: str) -> tuple[str, str]:
    """The mount point that holds ``path`` and its optional fields (proc(5), mountinfo)."""
    best, optional = "", ""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields = line.split(" ")
        point = fields[4].encode().decode("unicode_escape")
        if (path == point or path.startswith(point.rstrip("/") + "/")) and len(point) >= len(best):
            best, optional = point, " ".join(fields[6 : fields.index("-")])
    return best, optional
