"""Statistics under load, each value against the kernel's own file, read before and after."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pycri._generated import cri_pb2 as cri
from tests.support.control_node import ControlNode, control_node
from tests.support.cri_pods import Pods, await_true

pytestmark = pytest.mark.integration

V2 = Path("/sys/fs/cgroup/cgroup.controllers").exists()
LIMIT, QUOTA = 128 << 20, 0.2
SLACK = 2 << 20  # memory that comes and goes between two readings
LOAD = """
dd if=/dev/zero of=/file bs=1M count=5 2>/dev/null
dd if=/dev/zero of=/dev/shm/held bs=1M count=20 2>/dev/null
sleep 1000 & sleep 1000 &
echo loaded
while :; do :; done
"""


class Kernel:
    """The files of one cgroup."""

    def __init__(self, pid: int, up: int = 0) -> None:
        self.directories = {}
        for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            for _ in range(up):
                path = path.rpartition("/")[0]
            if V2:
                self.directories[""] = Path(f"/sys/fs/cgroup{path}")
            for name in controllers.split(",") if controllers else ():
                self.directories[name] = Path(f"/sys/fs/cgroup/{controllers}{path}")

    def text(self, controller: str, name: str) -> str:
        return (self.directories["" if V2 else controller] / name).read_text()

    def number(self, controller: str, name: str) -> int:
        return int(self.text(controller, name))

    def row(self, controller: str, file: str, name: str) -> int:
        rows = dict(line.split() for line in self.text(controller, file).splitlines())
        return int(rows[name])

    def cpu(self) -> int:
        return (
            self.row("", "cpu.stat", "usage_usec") * 1000 if V2 else self.number("cpuacct", "cpuacct.usage")
        )

    def memory(self) -> int:
        return self.number("memory", "memory.current" if V2 else "memory.usage_in_bytes")

    def stat(self, name: str) -> int:
        return self.row("memory", "memory.stat", name if V2 else f"total_{name}")

    def swap(self) -> int:
        if V2:
            return self.number("", "memory.swap.current")
        return max(self.number("memory", "memory.memsw.usage_in_bytes") - self.memory(), 0)


@dataclass(frozen=True)
class Loaded:
    """A pod whose only container works."""

    pods: Pods
    pod: str
    container: str
    pid: int
    pause: int
    upper: Path

    def stats(self) -> cri.ContainerStats:
        request = cri.ContainerStatsRequest(container_id=self.container)
        found: cri.ContainerStats = self.pods.runtime.ContainerStats(request).stats
        return found

    def fresh(self) -> cri.ContainerStats:
        """Read after this was called: answers may be a second old."""
        before = self.stats().cpu.timestamp
        await_true(lambda: self.stats().cpu.timestamp > before)
        return self.stats()


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlNode]:
    with control_node(tmp_path_factory.mktemp("node")) as made:
        yield made


@pytest.fixture(scope="module")
def loaded(node: ControlNode) -> Iterator[Loaded]:
    pods = node.pods
    parent = f"/nst{secrets.token_hex(4)}/pod"
    pod = pods.run(linux=cri.LinuxPodSandboxConfig(cgroup_parent=parent))
    limits = cri.LinuxContainerResources(
        memory_limit_in_bytes=LIMIT, cpu_quota=round(QUOTA * 100_000), cpu_period=100_000
    )
    linux = cri.LinuxContainerConfig(resources=limits)
    container = pods.start(pod, "sh", "-c", LOAD, linux=linux)
    log = Path(pods.status(container).log_path)
    await_true(lambda: log.exists() and "loaded" in log.read_text())
    verbose = (
        pods.runtime.ContainerStatus(cri.ContainerStatusRequest(container_id=container, verbose=True)),
        pods.runtime.PodSandboxStatus(cri.PodSandboxStatusRequest(pod_sandbox_id=pod, verbose=True)),
    )
    pids = [int(json.loads(answer.info["info"])["pid"]) for answer in verbose]
    mounts = Path(f"/proc/{pids[0]}/mounts").read_text().splitlines()
    options = next(line for line in mounts if line.split()[1] == "/").split()[3].split(",")
    upper = next(option for option in options if option.startswith("upperdir=")).partition("=")[2]
    yield Loaded(pods, pod, container, pids[0], pids[1], Path(upper))
    pods.remove_pod(pod)
    for hierarchy in Path("/sys/fs/cgroup").glob("*/") if not V2 else [Path("/sys/fs/cgroup")]:
        made = Path(f"{hierarchy}{parent}")
        for path in (made, made.parent):
            if path.is_dir():
                path.rmdir()


def test_cpu(loaded: Loaded) -> None:
    kernel = Kernel(loaded.pid)
    before = kernel.cpu()
    first = loaded.fresh().cpu
    assert before <= first.usage_core_nano_seconds.value <= kernel.cpu()
    second = loaded.fresh().cpu
    used = second.usage_core_nano_seconds.value - first.usage_core_nano_seconds.value
    cores = used / (second.timestamp - first.timestamp)
    assert second.usage_nano_cores.value == pytest.approx(cores * 1e9, rel=0.1)
    assert 0.3 * QUOTA < cores < 1.3 * QUOTA  # a busy machine may give it less, the quota no more


def test_memory(loaded: Loaded) -> None:
    kernel = Kernel(loaded.pid)
    faults = kernel.stat("pgfault"), kernel.stat("pgmajfault")
    memory, inactive = kernel.memory(), kernel.stat("inactive_file")
    found = loaded.fresh().memory
    assert found.usage_bytes.value == pytest.approx(memory, abs=SLACK)
    assert found.usage_bytes.value > 20 << 20  # what it holds in /dev/shm
    assert found.working_set_bytes.value == pytest.approx(memory - inactive, abs=SLACK)
    assert found.available_bytes.value == LIMIT - found.working_set_bytes.value
    assert found.rss_bytes.value == pytest.approx(kernel.stat("anon" if V2 else "rss"), abs=SLACK)
    assert faults[0] <= found.page_faults.value <= kernel.stat("pgfault")
    assert faults[1] <= found.major_page_faults.value <= kernel.stat("pgmajfault")


def test_swap(loaded: Loaded) -> None:
    kernel = Kernel(loaded.pid)
    found = loaded.fresh().swap
    assert found.swap_usage_bytes.value == pytest.approx(kernel.swap(), abs=SLACK)


def test_pressure(loaded: Loaded) -> None:
    """The kernel keeps pressure for cgroups of version 2 only."""
    kernel = Kernel(loaded.pid)
    first = kernel.text("", "cpu.pressure") if V2 and Path("/proc/pressure").exists() else ""
    stats = loaded.fresh()
    for kind, found in (("cpu", stats.cpu), ("memory", stats.memory), ("io", stats.io)):
        assert found.HasField("psi") == bool(first), kind
        if first:
            low, high = total(first) if kind == "cpu" else 0, total(kernel.text("", f"{kind}.pressure"))
            assert low <= found.psi.Some.Total <= high, kind


def total(pressure: str) -> int:
    return int(pressure.splitlines()[0].rpartition("total=")[2])


def test_writable_layer(loaded: Loaded) -> None:
    layer = loaded.stats().writable_layer
    files = [loaded.upper, *loaded.upper.rglob("*")]
    size = sum(path.lstat().st_blocks * 512 for path in files)
    assert size > 5 << 20
    assert layer.used_bytes.value == pytest.approx(size, rel=0.01)
    assert layer.inodes_used.value == pytest.approx(len(files), abs=1)
    assert os.path.commonpath([layer.fs_id.mountpoint, loaded.upper]) == layer.fs_id.mountpoint


def interface(pid: int) -> tuple[int, int]:
    for line in Path(f"/proc/{pid}/net/dev").read_text().splitlines():
        name, _, rest = line.partition(":")
        if name.strip() == "eth0":
            values = rest.split()
            return int(values[0]), int(values[8])
    raise AssertionError("no eth0")


def test_pod(node: ControlNode, loaded: Loaded) -> None:
    pods, kernel = loaded.pods, Kernel(loaded.pause, up=1)
    gateway = pods.sandbox(loaded.pod).network.ip.rpartition(".")[0] + ".1"
    pods.exec(loaded.container, "ping", "-c", "3", "-i", "0.1", "-s", "1000", gateway)
    cpu, memory, traffic = kernel.cpu(), kernel.memory(), interface(loaded.pause)
    assert traffic[1] > 3000
    request = cri.PodSandboxStatsRequest(pod_sandbox_id=loaded.pod)
    found = pods.runtime.PodSandboxStats(request).stats.linux
    after = interface(loaded.pause)
    assert cpu <= found.cpu.usage_core_nano_seconds.value <= kernel.cpu()
    assert found.memory.usage_bytes.value == pytest.approx(memory, abs=SLACK)
    assert found.memory.working_set_bytes.value == pytest.approx(
        memory - kernel.stat("inactive_file"), abs=SLACK
    )
    # the pause process, the shell and its two children; exec's may still be on its way out
    assert found.process.process_count.value == pytest.approx(kernel.number("pids", "pids.current"), abs=2)
    assert found.process.process_count.value >= 4
    default = found.network.default_interface
    assert default.name == "eth0"
    assert traffic[0] <= default.rx_bytes.value <= after[0]
    assert traffic[1] <= default.tx_bytes.value <= after[1]
    (container,) = found.containers
    assert container.attributes.id == loaded.container


def test_metrics_agree(loaded: Loaded) -> None:
    kernel = Kernel(loaded.pid)
    request = cri.ListPodSandboxMetricsRequest()
    (pod,) = loaded.pods.runtime.ListPodSandboxMetrics(request).pod_metrics
    values = {metric.name: metric.value.value for metric in pod.container_metrics[0].metrics}
    assert values["container_memory_usage_bytes"] == pytest.approx(kernel.memory(), abs=SLACK)
    assert values["container_spec_memory_limit_bytes"] == LIMIT
    assert values["container_processes"] == 3
