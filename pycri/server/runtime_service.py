"""The CRI's RuntimeService: one line per RPC, from here to the verb that serves it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pycri.container.checkpoint import CheckpointContainer
from pycri.container.create import CreateContainer
from pycri.container.exec import Attach, Exec, ExecSync, ReopenContainerLog
from pycri.container.list import ListContainers
from pycri.container.remove import RemoveContainer
from pycri.container.start import StartContainer
from pycri.container.stats import ContainerStats
from pycri.container.status import ContainerStatus
from pycri.container.stop import StopContainer
from pycri.container.update import UpdateContainerResources
from pycri.publisher import Publisher
from pycri.sandbox.list import ListPodSandbox
from pycri.sandbox.metrics import PodSandboxMetrics
from pycri.sandbox.port_forward import PortForward
from pycri.sandbox.remove import RemovePodSandbox
from pycri.sandbox.run import RunPodSandbox
from pycri.sandbox.stats import PodSandboxStats
from pycri.sandbox.status import PodSandboxStatus
from pycri.sandbox.stop import StopPodSandbox
from pycri.sandbox.update import UpdatePodSandboxResources
from pycri.server.node import RuntimeConfig, Status, UpdateRuntimeConfig, Version
from pycri.server.rpc import PACKAGES


@dataclass(frozen=True)
class RuntimeVerbs:
    """Every verb, ready to be called; made in app.py."""

    status: Status
    runtime_config: RuntimeConfig
    update_runtime_config: UpdateRuntimeConfig
    run_pod_sandbox: RunPodSandbox
    stop_pod_sandbox: StopPodSandbox
    remove_pod_sandbox: RemovePodSandbox
    pod_sandbox_status: PodSandboxStatus
    list_pod_sandbox: ListPodSandbox
    port_forward: PortForward
    create_container: CreateContainer
    start_container: StartContainer
    stop_container: StopContainer
    remove_container: RemoveContainer
    container_status: ContainerStatus
    list_containers: ListContainers
    update_container_resources: UpdateContainerResources
    exec_sync: ExecSync
    exec: Exec
    attach: Attach
    reopen_container_log: ReopenContainerLog
    container_stats: ContainerStats
    pod_sandbox_stats: PodSandboxStats
    events: Publisher
    pod_sandbox_metrics: PodSandboxMetrics
    update_pod_sandbox_resources: UpdatePodSandboxResources
    checkpoint_container: CheckpointContainer


def tables(verbs: RuntimeVerbs) -> dict[str, Mapping[str, Any]]:
    """RPC to verb, for each API package."""
    return {package: _table(verbs, package.rpartition(".")[2]) for package in PACKAGES}


def _table(verbs: RuntimeVerbs, api: str) -> Mapping[str, Any]:
    return {
        "Version": Version(api),
        "Status": verbs.status,
        "RuntimeConfig": verbs.runtime_config,
        "UpdateRuntimeConfig": verbs.update_runtime_config,
        "RunPodSandbox": verbs.run_pod_sandbox,
        "StopPodSandbox": verbs.stop_pod_sandbox,
        "RemovePodSandbox": verbs.remove_pod_sandbox,
        "PodSandboxStatus": verbs.pod_sandbox_status,
        "ListPodSandbox": verbs.list_pod_sandbox,
        "PortForward": verbs.port_forward,
        "CreateContainer": verbs.create_container,
        "StartContainer": verbs.start_container,
        "StopContainer": verbs.stop_container,
        "RemoveContainer": verbs.remove_container,
        "ContainerStatus": verbs.container_status,
        "ListContainers": verbs.list_containers,
        "UpdateContainerResources": verbs.update_container_resources,
        "ExecSync": verbs.exec_sync,
        "Exec": verbs.exec,
        "Attach": verbs.attach,
        "ReopenContainerLog": verbs.reopen_container_log,
        "ContainerStats": verbs.container_stats.one,
        "ListContainerStats": verbs.container_stats.list,
        "StreamContainerStats": verbs.container_stats.stream,
        "PodSandboxStats": verbs.pod_sandbox_stats.one,
        "ListPodSandboxStats": verbs.pod_sandbox_stats.list,
        "StreamPodSandboxStats": verbs.pod_sandbox_stats.stream,
        "ListMetricDescriptors": verbs.pod_sandbox_metrics.descriptors,
        "ListPodSandboxMetrics": verbs.pod_sandbox_metrics.list,
        "StreamPodSandboxMetrics": verbs.pod_sandbox_metrics.stream,
        "UpdatePodSandboxResources": verbs.update_pod_sandbox_resources,
        "CheckpointContainer": verbs.checkpoint_container,
        "StreamPodSandboxes": verbs.list_pod_sandbox.stream,
        "StreamContainers": verbs.list_containers.stream,
        "GetContainerEvents": verbs.events.stream,
    }
