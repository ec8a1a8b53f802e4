"""Sandboxes over the CRI: real containerd, real CNI, read back inside the pod and on the host."""

from __future__ import annotations

import concurrent.futures
import socket
from collections.abc import Iterator

import pytest

from installer.verify.client import CriError
from pycri._generated import cri_pb2 as cri
from tests.support.control_node import ControlNode, control_node
from tests.support.cri_pods import Pods

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlNode]:
    with control_node(tmp_path_factory.mktemp("node")) as made:
        yield made


@pytest.fixture
def pods(node: ControlNode) -> Iterator[Pods]:
    yield node.pods
    for pod in node.pods.pods():
        node.pods.remove_pod(pod)
    assert not any(node.leftovers().values()), node.leftovers()


def security(**options: int) -> cri.LinuxPodSandboxConfig:
    context = cri.LinuxSandboxSecurityContext(namespace_options=cri.NamespaceOption(**options))
    return cri.LinuxPodSandboxConfig(security_context=context)


def text(pods: Pods, container: str, *command: str) -> str:
    result = pods.exec(container, *command)
    assert result.exit_code == 0, result.stderr
    return result.stdout.decode()


def test_a_pod_has_its_files_address_and_shm(node: ControlNode, pods: Pods) -> None:
    dns = cri.DNSConfig(servers=["192.0.2.1"], searches=["a.test"], options=["ndots:3"])
    pod = pods.run(hostname="web-0", dns_config=dns)
    container = pods.start(pod, "sleep", "1000")
    status = pods.sandbox(pod)
    assert status.state == cri.SANDBOX_READY
    assert {status.network.ip} == node.addresses()
    assert text(pods, container, "hostname").strip() == "web-0"
    resolv = text(pods, container, "cat", "/etc/resolv.conf")
    assert resolv == "search a.test\nnameserver 192.0.2.1\noptions ndots:3\n"
    assert "localhost" in text(pods, container, "cat", "/etc/hosts")
    assert status.network.ip in text(pods, container, "ip", "addr", "show", "eth0")
    assert "UP" in text(pods, container, "ip", "link", "show", "lo")
    shm = next(
        line for line in text(pods, container, "cat", "/proc/mounts").splitlines() if "/dev/shm" in line
    )
    assert "size=65536k" in shm


def test_stop_and_remove_may_be_repeated(pods: Pods) -> None:
    pod = pods.run()
    pods.runtime.StopPodSandbox(cri.StopPodSandboxRequest(pod_sandbox_id=pod))
    assert pods.sandbox(pod).state == cri.SANDBOX_NOTREADY
    assert pods.sandbox(pod).network.ip == ""
    for _ in range(2):
        pods.remove_pod(pod)
    pods.remove_pod("0" * 64)
    with pytest.raises(CriError, match="NOT_FOUND"):
        pods.sandbox(pod)


def test_removing_a_running_pod_stops_it_first(pods: Pods) -> None:
    pod = pods.run()
    pods.start(pod, "sleep", "1000")
    pods.runtime.RemovePodSandbox(cri.RemovePodSandboxRequest(pod_sandbox_id=pod))
    assert pods.pods() == []


def test_the_same_request_again_is_the_same_sandbox(pods: Pods) -> None:
    config = pods.config()
    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        found = set(threads.map(lambda _: pods.run(config), range(8)))
    assert found == {pods.run(config)}


def test_another_pod_of_the_same_name_is_refused(pods: Pods) -> None:
    config = pods.config()
    pods.run(config)
    config.labels["another"] = "one"
    with pytest.raises(CriError, match="ALREADY_EXISTS"):
        pods.run(config)


def test_host_network(pods: Pods) -> None:
    pod = pods.run(linux=security(network=cri.NODE))
    container = pods.start(pod, "sleep", "1000")
    assert pods.sandbox(pod).network.ip == ""
    assert text(pods, container, "hostname").strip() == socket.gethostname()
    before = {name for _, name in socket.if_nameindex()}
    seen = set(text(pods, container, "ls", "/sys/class/net").split())
    # other tests' interfaces come and go meanwhile
    assert before & {name for _, name in socket.if_nameindex()} <= seen


@pytest.mark.parametrize(("mode", "first"), [(cri.POD, "/pause"), (cri.CONTAINER, "sleep")])
def test_pid_namespace(pods: Pods, mode: int, first: str) -> None:
    pod = pods.run(linux=security(pid=mode))
    options = cri.NamespaceOption(pid=mode)
    context = cri.LinuxContainerSecurityContext(namespace_options=options)
    container = pods.start(pod, "sleep", "1000", linux=cri.LinuxContainerConfig(security_context=context))
    assert text(pods, container, "cat", "/proc/1/cmdline").startswith(first)


def test_target_pid_namespace(pods: Pods) -> None:
    pod = pods.run(linux=security(pid=cri.CONTAINER))
    own = cri.LinuxContainerSecurityContext(namespace_options=cri.NamespaceOption(pid=cri.CONTAINER))
    target = pods.start(pod, "sleep", "777", linux=cri.LinuxContainerConfig(security_context=own))
    options = cri.NamespaceOption(pid=cri.TARGET, target_id=target)
    context = cri.LinuxContainerSecurityContext(namespace_options=options)
    debug = pods.start(pod, "sleep", "1", linux=cri.LinuxContainerConfig(security_context=context))
    assert debug
    assert "777" in text(pods, target, "ps")


def test_sysctls(pods: Pods) -> None:
    wanted = {"net.ipv4.ip_unprivileged_port_start": "0", "net.ipv4.conf.eth0.forwarding": "1"}
    pod = pods.run(linux=cri.LinuxPodSandboxConfig(sysctls=wanted))
    container = pods.start(pod, "sleep", "1000")
    for name, value in wanted.items():
        assert text(pods, container, "cat", f"/proc/sys/{name.replace('.', '/')}").strip() == value


def test_a_failed_pod_leaves_nothing_and_may_be_tried_again(node: ControlNode, pods: Pods) -> None:
    config = pods.config(linux=cri.LinuxPodSandboxConfig(sysctls={"net.no.such": "1"}))
    with pytest.raises(CriError, match="/proc/sys/net/no/such"):
        pods.run(config)
    assert pods.pods() == []
    assert not any(node.leftovers().values()), node.leftovers()
    config.linux.sysctls.clear()
    pods.run(config)


def test_wrong_requests_are_named(pods: Pods) -> None:
    with pytest.raises(CriError, match=r"INVALID_ARGUMENT.*metadata"):
        pods.run(cri.PodSandboxConfig())
    request = cri.RunPodSandboxRequest(config=pods.config(), runtime_handler="kata")
    with pytest.raises(CriError, match=r'INVALID_ARGUMENT.*"kata" is not configured'):
        pods.runtime.RunPodSandbox(request)
    with pytest.raises(CriError, match=r"INVALID_ARGUMENT.*kubelet's cgroupDriver"):
        pods.run(linux=cri.LinuxPodSandboxConfig(cgroup_parent="/kubepods.slice"))


def test_list_filters(pods: Pods) -> None:
    first, second = pods.run(labels={"app": "a"}), pods.run(labels={"app": "b"})
    pods.runtime.StopPodSandbox(cri.StopPodSandboxRequest(pod_sandbox_id=second))

    def ids(**wanted: object) -> list[str]:
        request = cri.ListPodSandboxRequest(filter=cri.PodSandboxFilter(**wanted))
        return [item.id for item in pods.runtime.ListPodSandbox(request).items]

    ready = cri.PodSandboxStateValue(state=cri.SANDBOX_READY)
    assert ids(label_selector={"app": "b"}) == [second]
    assert ids(state=ready) == [first]
    assert ids(id=first[:12]) == [first]
    streamed = pods.runtime.StreamPodSandboxes(cri.StreamPodSandboxesRequest())
    assert {item.id for part in streamed for item in part.pod_sandboxes} == {first, second}


def test_many_at_once(node: ControlNode, pods: Pods) -> None:
    with concurrent.futures.ThreadPoolExecutor(10) as threads:
        found = list(threads.map(lambda _: pods.run(), range(10)))
        assert len({pods.sandbox(pod).network.ip for pod in found}) == 10
        list(threads.map(pods.remove_pod, found))


def test_statistics_and_metrics_of_a_pod(pods: Pods) -> None:
    pod = pods.run()
    container = pods.start(pod, "sleep", "1000")
    stats = pods.runtime.PodSandboxStats(cri.PodSandboxStatsRequest(pod_sandbox_id=pod)).stats
    assert stats.linux.network.default_interface.name == "eth0"
    assert [item.attributes.id for item in stats.linux.containers] == [container]
    # the pod was given no cgroup of its own: it is its containers' sum, and the pause container's
    (member,) = stats.linux.containers
    assert stats.linux.memory.working_set_bytes.value > member.memory.working_set_bytes.value > 0
    assert stats.linux.cpu.usage_core_nano_seconds.value > member.cpu.usage_core_nano_seconds.value > 0
    assert stats.linux.process.process_count.value >= 2
    metrics = pods.runtime.ListPodSandboxMetrics(cri.ListPodSandboxMetricsRequest()).pod_metrics
    names = {metric.name for item in metrics for metric in item.container_metrics[0].metrics}
    assert {"container_cpu_usage_seconds_total", "container_memory_working_set_bytes"} <= names
