"""Linux namespaces of a container: new ones, the sandbox's, the host's or another container's."""

from __future__ import annotations

from pycri import cgroups, errors
from pycri._generated import cri_pb2 as cri
from pycri.container.spec import id_mappings


def of_container(
    wanted: cri.NamespaceOption,
    pod: cri.NamespaceOption,
    sandbox_pid: int,
    netns: str,
    privileged: bool,
    target_pid: int = 0,
) -> list[dict[str, str]]:
    """OCI namespaces. Network and IPC are ``pod``'s whatever the container says: a pod has one of each.

    ``target_pid`` is of NamespaceMode TARGET. Raises InvalidArgument.
    """
    found = [{"type": "mount"}]
    if id_mappings.of_pod(pod) is not None:
        found.append({"type": "user", "path": _of(sandbox_pid, "user")})
    if pod.network != cri.NODE:
        found.append({"type": "network", "path": netns})
        found.append({"type": "uts", "path": _of(sandbox_pid, "uts")})
    if pod.ipc != cri.NODE:
        found.append({"type": "ipc", "path": _of(sandbox_pid, "ipc")})
    if wanted.pid == cri.CONTAINER:
        found.append({"type": "pid"})
    elif wanted.pid == cri.POD and pod.pid != cri.NODE:
        found.append({"type": "pid", "path": _of(sandbox_pid, "pid")})
    elif wanted.pid == cri.TARGET:
        if not target_pid:
            raise errors.InvalidArgument(f'the target container "{wanted.target_id}" does not run')
        found.append({"type": "pid", "path": _of(target_pid, "pid")})
    if cgroups.unified() and not privileged:
        found.append({"type": "cgroup"})
    return found


def of_sandbox(wanted: cri.NamespaceOption, netns: str, userns: str) -> list[dict[str, str]]:
    """OCI namespaces of the pause container, which the pod's containers join.

    ``netns`` and ``userns`` are paths of namespaces that have been made; ``userns`` is empty for the host's.
    """
    found = [{"type": "mount"}]
    if userns:
        found.append({"type": "user", "path": userns})
    if wanted.network != cri.NODE:
        found += [{"type": "network", "path": netns}, {"type": "uts"}]
    if wanted.ipc != cri.NODE:
        found.append({"type": "ipc"})
    if wanted.pid != cri.NODE:
        found.append({"type": "pid"})
    return found


def _of(pid: int, kind: str) -> str:
    return f"/proc/{pid}/ns/{kind}"
