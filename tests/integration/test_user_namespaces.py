"""Pods with a user namespace of their own, and id-mapped mounts, with each runtime as far as it goes."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from installer.verify.client import CriError
from pycri._generated import cri_pb2 as cri
from tests.support import newer_runtimes
from tests.support.control_node import ControlNode, control_node
from tests.support.cri_pods import Pods

pytestmark = pytest.mark.integration

HOST_ID, SIZE = 200_000, 65_536


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlNode]:
    sections = "[runtimes.runc]\n"
    sections += f'[runtimes.newer-runc]\nbinary = "{newer_runtimes.runtime("runc")}"\n'
    sections += '[runtimes.other]\ntype = "io.containerd.other.v1"\n'
    with control_node(tmp_path_factory.mktemp("node"), extra_sections=sections) as made:
        yield made


@pytest.fixture(params=["runc", "newer-runc"])
def handler(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def ids() -> list[cri.IDMapping]:
    return [cri.IDMapping(host_id=HOST_ID, container_id=0, length=SIZE)]


def user_namespace() -> cri.NamespaceOption:
    return cri.NamespaceOption(userns_options=cri.UserNamespace(mode=cri.POD, uids=ids(), gids=ids()))


def run(pods: Pods, handler: str, **fields: object) -> str:
    context = cri.LinuxSandboxSecurityContext(namespace_options=user_namespace())
    config = pods.config(linux=cri.LinuxPodSandboxConfig(security_context=context, **fields))
    request = cri.RunPodSandboxRequest(config=config, runtime_handler=handler)
    return str(pods.runtime.RunPodSandbox(request).pod_sandbox_id)


def in_namespace(**fields: object) -> cri.LinuxContainerConfig:
    context = cri.LinuxContainerSecurityContext(namespace_options=user_namespace(), **fields)
    return cri.LinuxContainerConfig(security_context=context)


def text(pods: Pods, container: str, *command: str) -> str:
    result = pods.exec(container, *command)
    assert result.exit_code == 0, result.stderr
    return str(result.stdout.decode())


def test_a_pod_in_its_user_namespace(node: ControlNode, handler: str) -> None:
    pods = node.pods
    pod = run(pods, handler, sysctls={"net.ipv4.ip_forward": "1"})
    capability = cri.Capability(add_capabilities=["NET_ADMIN", "SYS_ADMIN"])
    container = pods.start(pod, "sleep", "1000", linux=in_namespace(capabilities=capability))
    assert text(pods, container, "cat", "/proc/self/uid_map").split() == ["0", str(HOST_ID), str(SIZE)]
    assert text(pods, container, "id", "-u").strip() == "0"
    # its root file system and its files are its root's
    assert text(pods, container, "stat", "-c", "%u:%g", "/bin/busybox").strip() == "0:0"
    assert text(pods, container, "stat", "-c", "%u:%g", "/etc/hosts").strip() == "0:0"
    text(pods, container, "sh", "-c", "echo x >/root-file && echo y >>/etc/hosts && echo z >/dev/shm/f")
    # its network is its own to configure, and has an address and lo
    assert pods.sandbox(pod).network.ip in text(pods, container, "ip", "addr", "show", "eth0")
    text(pods, container, "ip", "link", "set", "eth0", "mtu", "1400")
    assert "UP" in text(pods, container, "ip", "link", "show", "lo")
    assert text(pods, container, "cat", "/proc/sys/net/ipv4/ip_forward").strip() == "1"
    # and on the host it is nobody
    assert Path(f"/proc/{host_pid(pods, container)}").stat().st_uid == HOST_ID
    second = pods.start(pod, "sleep", "1000", linux=in_namespace(run_as_user=cri.Int64Value(value=1000)))
    assert text(pods, second, "id", "-u").strip() == "1000"
    assert Path(f"/proc/{host_pid(pods, second)}").stat().st_uid == HOST_ID + 1000
    pods.remove_pod(pod)
    assert not any(node.leftovers().values()), node.leftovers()


def test_with_the_hosts_network(node: ControlNode, handler: str) -> None:
    """Kubernetes 1.36 asks for it where Status says user_namespaces_host_network."""
    pods = node.pods
    assert pods.runtime.Status(cri.StatusRequest()).features.user_namespaces_host_network
    options = user_namespace()
    options.network = cri.NODE
    config = pods.config()
    config.linux.security_context.namespace_options.CopyFrom(options)
    request = cri.RunPodSandboxRequest(config=config, runtime_handler=handler)
    pod = str(pods.runtime.RunPodSandbox(request).pod_sandbox_id)
    context = cri.LinuxContainerSecurityContext(namespace_options=options)
    container = pods.start(pod, "sleep", "1000", linux=cri.LinuxContainerConfig(security_context=context))
    assert text(pods, container, "cat", "/proc/self/uid_map").split() == ["0", str(HOST_ID), str(SIZE)]
    before = {name for _, name in socket.if_nameindex()}
    seen = set(text(pods, container, "ls", "/sys/class/net").split())
    # other tests' interfaces come and go meanwhile
    assert before & {name for _, name in socket.if_nameindex()} <= seen
    assert pods.exec(container, "ip", "link", "set", "lo", "down").exit_code != 0
    assert pods.exec(container, "sh", "-c", "echo 1 >/sys/class/net/lo/mtu").exit_code != 0
    pods.remove_pod(pod)


def test_a_copied_image_goes_with_its_last_container(node: ControlNode) -> None:
    """Each pod has ids of its own: copies would pile up."""
    pods = node.pods
    pod = run(pods, "runc")
    pods.start(pod, "sleep", "1000", linux=in_namespace())

    async def copies() -> list[str]:
        async with node.containerd.client(node.pycri.namespace) as client:
            await client.leases.create("collect")
            await client.leases.delete("collect", sync=True)  # returns after a garbage collection
            found = await client.snapshots.list("overlayfs")
        return [info.name for info in found if "-mapped-" in info.name]

    assert len(asyncio.run(copies())) == (0 if node.containerd.version >= (2, 0) else 2)
    pods.remove_pod(pod)
    assert asyncio.run(copies()) == []


def host_pid(pods: Pods, container: str) -> int:
    request = cri.ContainerStatusRequest(container_id=container, verbose=True)
    return int(json.loads(pods.runtime.ContainerStatus(request).info["info"])["pid"])


def test_idmapped_mount(node: ControlNode, tmp_path: Path) -> None:
    pods = node.pods
    (tmp_path / "file").write_text("x")
    mount = cri.Mount(container_path="/data", host_path=str(tmp_path), uidMappings=ids(), gidMappings=ids())
    old = run(pods, "runc")
    with pytest.raises(CriError, match=r"INVALID_ARGUMENT.*runc can since 1\.2"):
        pods.create(old, "true", mounts=[mount], linux=in_namespace())
    pods.remove_pod(old)
    pod = run(pods, "newer-runc")
    container = pods.start(pod, "sleep", "1000", mounts=[mount], linux=in_namespace())
    assert text(pods, container, "stat", "-c", "%u:%g", "/data/file").strip() == "0:0"
    text(pods, container, "touch", "/data/back")
    assert (tmp_path / "back").stat().st_uid == 0
    pods.remove_pod(pod)


def test_image_volume_belongs_to_the_pods_root(node: ControlNode) -> None:
    pods = node.pods
    pod = run(pods, "newer-runc")
    image = pods.container(pod, "sleep").image
    mount = cri.Mount(container_path="/volume", readonly=True, image=image)
    container = pods.start(pod, "sleep", "1000", mounts=[mount], linux=in_namespace())
    assert text(pods, container, "stat", "-c", "%u:%g", "/volume/bin/busybox").strip() == "0:0"
    pods.remove_pod(pod)


def test_status_tells_what_each_runtime_can(node: ControlNode) -> None:
    handlers = node.pods.runtime.Status(cri.StatusRequest()).runtime_handlers
    found = {item.name: item.features for item in handlers}
    assert found["newer-runc"].user_namespaces
    assert found["newer-runc"].recursive_read_only_mounts
    assert not found["other"].user_namespaces
    assert not found["other"].recursive_read_only_mounts
    installed = newer_runtimes.features(Path(shutil.which("runc") or ""))
    assert found["runc"].user_namespaces == ("mountExtensions" in installed["linux"])


def test_what_cannot_be_is_refused(node: ControlNode) -> None:
    pods = node.pods
    with pytest.raises(CriError, match=r'INVALID_ARGUMENT.*"other" cannot run pods in user namespaces'):
        run(pods, "other")
    config = pods.config()
    options = config.linux.security_context.namespace_options
    options.CopyFrom(user_namespace())
    options.pid = cri.NODE
    with pytest.raises(CriError, match=r"INVALID_ARGUMENT.*host's PID namespace"):
        pods.run(config)
    pod = run(pods, "newer-runc")
    with pytest.raises(CriError, match=r"INVALID_ARGUMENT.*privileged"):
        pods.create(pod, "true", linux=in_namespace(privileged=True))
    hosts = cri.NamespaceOption(userns_options=cri.UserNamespace(mode=cri.NODE))
    linux = cri.LinuxContainerConfig(
        security_context=cri.LinuxContainerSecurityContext(namespace_options=hosts)
    )
    with pytest.raises(CriError, match=r"INVALID_ARGUMENT.*not its pod's"):
        pods.create(pod, "true", linux=linux)
    pods.remove_pod(pod)
    assert pods.pods() == []
