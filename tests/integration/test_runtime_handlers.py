"""RuntimeClass handlers by configuration: crun through the runc shim's BinaryName, beside runc."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from pycri._generated import cri_pb2 as cri
from tests.support import newer_runtimes
from tests.support.containerd import ContainerdHost
from tests.support.control_node import ControlNode, control_node
from tests.support.cri_pods import Pods

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlNode]:
    sections = f'[runtimes.runc]\n[runtimes.crun]\nbinary = "{newer_runtimes.runtime("crun")}"\n'
    with control_node(
        tmp_path_factory.mktemp("node"),
        extra_sections=sections,
        containerd=ContainerdHost(hide_unified=True),
    ) as made:
        yield made


def run(pods: Pods, handler: str, config: cri.PodSandboxConfig | None = None) -> str:
    request = cri.RunPodSandboxRequest(config=config or pods.config(), runtime_handler=handler)
    return str(pods.runtime.RunPodSandbox(request).pod_sandbox_id)


@pytest.mark.parametrize("handler", ["crun", "runc", ""])
def test_a_pod_of_each_handler(node: ControlNode, handler: str) -> None:
    pods = node.pods
    pod = run(pods, handler)
    limits = cri.LinuxContainerResources(memory_limit_in_bytes=64 << 20, cpu_shares=512)
    linux = cri.LinuxContainerConfig(resources=limits)
    container = pods.start(pod, "sh", "-c", "sleep 1000 & wait", linux=linux)
    result = pods.exec(container, "cat", "/proc/self/cgroup")
    assert container in result.stdout.decode()
    assert pods.sandbox(pod).runtime_handler == handler
    request = cri.ContainerStatsRequest(container_id=container)
    assert pods.runtime.ContainerStats(request).stats.memory.usage_bytes.value > 0
    update = cri.UpdateContainerResourcesRequest(
        container_id=container, linux=cri.LinuxContainerResources(memory_limit_in_bytes=96 << 20)
    )
    pods.runtime.UpdateContainerResources(update)
    pods.stop(container)
    assert pods.status(container).exit_code == 137
    spec = cri.PodSandboxStatusRequest(pod_sandbox_id=pod, verbose=True)
    info = json.loads(pods.runtime.PodSandboxStatus(spec).info["info"])
    assert (info["runtimeType"], info["runtimeHandler"]) == ("io.containerd.runc.v2", handler)
    pods.remove_pod(pod)


def test_crun_runs_what_crun_says_it_can(node: ControlNode) -> None:
    handlers = node.pods.runtime.Status(cri.StatusRequest()).runtime_handlers
    assert [item.name for item in handlers] == ["runc", "", "crun"]
    assert handlers[2].features.user_namespaces
    ids = [cri.IDMapping(host_id=300_000, container_id=0, length=65_536)]
    options = cri.NamespaceOption(userns_options=cri.UserNamespace(mode=cri.POD, uids=ids, gids=ids))
    config = node.pods.config()
    config.linux.security_context.namespace_options.CopyFrom(options)
    pod = run(node.pods, "crun", config)
    context = cri.LinuxContainerSecurityContext(namespace_options=options)
    linux = cri.LinuxContainerConfig(security_context=context)
    container = node.pods.start(pod, "sleep", "1000", linux=linux)
    inside = node.pods.exec(container, "cat", "/proc/self/uid_map").stdout.split()
    assert inside == [b"0", b"300000", b"65536"]
    node.pods.remove_pod(pod)
