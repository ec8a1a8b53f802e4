"""Remove what verify runs left on an endpoint: pods by their label, and directories."""

from __future__ import annotations

from installer.verify import cgroup_parent
from installer.verify.client import CriClient, CriError
from installer.verify.host import Host, HostError
from installer.verify.pods import LABEL, remove_pod
from pycri._generated import cri_pb2

DIRECTORIES = "/run/nodestrap-verify-*"


def sweep(cri: CriClient, *, run_id: str | None = None) -> tuple[list[str], list[str]]:
    """Remove the pods of one run, or of every run; returns (ids removed, errors).

    CRI filters labels by key and value, so that "of every run" is chosen here. Raises CriError when the
    pods cannot be listed.
    """
    selector = {LABEL: run_id} if run_id is not None else {}
    request = cri_pb2.ListPodSandboxRequest(filter=cri_pb2.PodSandboxFilter(label_selector=selector))
    removed, errors = [], []
    for pod in cri.runtime.ListPodSandbox(request).items:
        if LABEL not in pod.labels:
            continue
        try:
            remove_pod(cri, pod.id)
        except CriError as error:
            errors.append(f"pod {pod.metadata.name} ({pod.id[:13]}): {error}")
        else:
            removed.append(pod.id)
    return removed, errors


def sweep_host(host: Host) -> list[str]:
    """Remove every run's directories and cgroups on the host; returns errors."""
    if host.refusal is not None:
        return [f"directories {DIRECTORIES} and cgroups were left alone: {host.refusal}"]
    try:
        host.run(f"rm -rf -- {DIRECTORIES}")
        cgroup_parent.remove_all(host)
    except HostError as error:
        return [str(error)]
    return []
