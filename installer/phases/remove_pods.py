"""Stop and remove every pod through the CRI, so that networks and volumes are taken down by who made them.

A host whose runtime does not answer goes on without: the role node_reset ends what is left by force.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import paramiko

from installer.cluster.spec import HostSpec
from installer.effects import Effect
from installer.errors import ConnectError
from installer.phases.base import Phase
from installer.phases.connect import MAX_AT_ONCE
from installer.run import Run

if TYPE_CHECKING:
    from installer.verify.client import CriClient

_SOCKET = "/run/pycri/pycri.sock"
_PODS_AT_ONCE = 8  # per host


class RemovePods(Phase):
    name = "pods"
    title = "Pods"

    def run(self, run: Run) -> None:
        self._on_each(run, remove=True)

    def dry_run(self, run: Run) -> None:
        self._on_each(run, remove=False)

    def _on_each(self, run: Run, *, remove: bool) -> None:
        hosts = run.active
        with ThreadPoolExecutor(MAX_AT_ONCE, thread_name_prefix="pods") as pool:
            answers = list(pool.map(lambda host: _try(run, host, remove=remove), hosts))
        for host, (pods, trouble) in zip(hosts, answers, strict=True):
            told = [Effect("pod", pod, ("remove",)) for pod in pods]
            run.effects.setdefault(host.name, []).extend(told)
            if told:
                run.changed[host.name] = run.changed.get(host.name, 0) + 1
            if trouble:
                run.warn(f"{host.name}: pods: {trouble}: what is left of them is ended by force")
        run.raise_if_interrupted()


def _try(run: Run, host: HostSpec, *, remove: bool) -> tuple[list[str], str | None]:
    """The pods that were, or would be, removed, as ``namespace/name``; and what went wrong."""
    from installer.verify.client import CriError
    from installer.verify.ssh_host import over_ssh

    run.progress.step(host.name, "removing pods")
    connection = run.connections[host.name]
    try:
        if connection.run(["test", "-S", _SOCKET]).status != 0:
            return [], None  # no runtime of ours, or it does not run
        if remove:  # the kubelet would make static pods again
            connection.run(["sh", "-c", "systemctl stop kubelet.service 2>/dev/null || true"], timeout=120)
        python = (host.facts.python_path if host.facts else None) or "python3"
        with over_ssh(connection, f"unix://{_SOCKET}", python=python) as endpoint:
            return _remove_all(endpoint.target, remove=remove)
    except (ConnectError, CriError, OSError, paramiko.SSHException) as error:
        return [], str(error)


def _remove_all(target: str, *, remove: bool) -> tuple[list[str], str | None]:
    from contextlib import closing

    from installer.verify.client import CriClient, CriError
    from pycri._generated import cri_pb2

    with closing(CriClient(target)) as client:
        client.negotiate()
        pods = list(client.runtime.ListPodSandbox(cri_pb2.ListPodSandboxRequest()).items)
        names = [f"{pod.metadata.namespace}/{pod.metadata.name}" for pod in pods]
        if not remove:
            return names, None

        def one(pod: str) -> str | None:
            try:
                _remove(client, pod)
            except CriError as error:
                return str(error)
            return None

        with ThreadPoolExecutor(_PODS_AT_ONCE, thread_name_prefix="pod") as pool:
            troubles = [trouble for trouble in pool.map(one, [pod.id for pod in pods]) if trouble]
    return names, troubles[0] if troubles else None


def _remove(client: CriClient, pod: str) -> None:
    """Stop a pod, which kills what runs in it, and remove it."""
    from pycri._generated import cri_pb2

    client.runtime.StopPodSandbox(cri_pb2.StopPodSandboxRequest(pod_sandbox_id=pod))
    client.runtime.RemovePodSandbox(cri_pb2.RemovePodSandboxRequest(pod_sandbox_id=pod))
