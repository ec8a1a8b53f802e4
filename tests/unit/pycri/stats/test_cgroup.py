# ruff: noqa: E501  # tables as the kernel writes them
"""pycri/stats: readings of both cgroup versions, from files as the kernel writes them."""

import pytest

from pycri._generated import cri_pb2 as cri
from pycri.stats import cgroup, metrics, network

STAT_V2 = "anon 100\nfile 900\ninactive_file 300\npgfault 7\npgmajfault 2\n"
PRESSURE = """\
some avg10=1.50 avg60=0.50 avg300=0.10 total=3000000
full avg10=0.00 avg60=0.00 avg300=0.00 total=5
"""


def write(directory, **files):
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (directory / name.replace("__", ".")).write_text(f"{text}\n")
    return str(directory)


def test_version_2(tmp_path):
    path = write(
        tmp_path,
        cpu__stat="usage_usec 5000\nuser_usec 3000\nsystem_usec 2000\nnr_periods 4",
        memory__stat=STAT_V2,
        memory__current=1000,
        memory__max=2000,
        memory__swap__current=10,
        memory__swap__max=50,
        memory__events="max 3\noom_kill 1",
        pids__current=4,
    )
    (tmp_path / "cpu.pressure").write_text(PRESSURE)
    found = cgroup.read({"": path})
    assert (found.cpu, found.memory, found.working_set, found.available) == (5_000_000, 1000, 700, 1300)
    assert (found.rss, found.page_faults, found.major_page_faults) == (100, 7, 2)
    assert (found.swap, found.swap_available, found.processes, found.oom_kills) == (10, 40, 4, 1)
    assert found.pressure["cpu", "some"] == cgroup.Pressure(1.5, 0.5, 0.1, 3_000_000)
    assert ("io", "some") not in found.pressure


def test_version_2_without_limit_or_swap(tmp_path):
    path = write(
        tmp_path, cpu__stat="usage_usec 1", memory__stat=STAT_V2, memory__current=1, memory__max="max"
    )
    found = cgroup.read({"": path})
    assert (found.available, found.swap, found.processes) == (None, None, None)
    assert found.working_set == 0


def test_version_1(tmp_path):
    memory = write(
        tmp_path / "memory",
        memory__usage_in_bytes=1000,
        memory__stat="total_inactive_file 300\ntotal_rss 100\ntotal_pgfault 7\nhierarchical_memory_limit 2000\n"
        "hierarchical_memsw_limit 2500",
        memory__memsw__usage_in_bytes=1010,
        memory__oom_control="oom_kill_disable 0\noom_kill 2",
    )
    cpu = write(tmp_path / "cpuacct", cpuacct__usage=99)
    pids = write(tmp_path / "pids", pids__current=3)
    found = cgroup.read({"memory": memory, "cpuacct": cpu, "pids": pids})
    assert (found.cpu, found.memory, found.working_set, found.available) == (99, 1000, 700, 1300)
    assert (found.swap, found.swap_available, found.processes, found.oom_kills) == (10, 1490, 3, 2)


def test_version_1_without_limit(tmp_path):
    memory = write(
        tmp_path / "memory",
        memory__usage_in_bytes=1,
        memory__stat="hierarchical_memory_limit 9223372036854771712",
    )
    cpu = write(tmp_path / "cpuacct", cpuacct__usage=1)
    assert cgroup.read({"memory": memory, "cpuacct": cpu}).available is None


def test_a_cgroup_that_is_gone_is_an_os_error(tmp_path):
    with pytest.raises(OSError):
        cgroup.read({"": str(tmp_path / "none")})


def test_the_pods_group_is_the_parent():
    assert cgroup.parents_of({"cpu": "/sys/fs/cgroup/cpu/pod/id"}) == {"cpu": "/sys/fs/cgroup/cpu/pod"}


def test_net_dev():
    text = (
        "Inter-|   Receive                                                |  Transmit\n"
        " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls\n"
        "    lo:      10       1    0    0    0     0          0         0       10       1    0    0    0     0       0          0\n"
        "  eth0:1000      20    3    4    0     0          0         0     2000      30    5    6    0     0       0          0\n"
    )
    assert network.parse(text) == [network.Interface("eth0", 1000, 20, 3, 4, 2000, 30, 5, 6)]


def test_every_metric_is_described_and_has_the_labels_it_describes(tmp_path):
    path = write(
        tmp_path, cpu__stat="usage_usec 5000000", memory__stat=STAT_V2, memory__current=1, memory__max=2
    )
    source = metrics.Source(
        sample=cgroup.read({"": path}),
        cgroup={"": path},
        pids=[1],
        resources=cri.LinuxContainerResources(cpu_shares=2),
        started_at=5 * 10**9,
        now=9 * 10**9,
        layer=(7, 1),
        disk=None,
        interfaces=[network.Interface("eth0", 1, 2, 3, 4, 5, 6, 7, 8)],
    )
    described = {item.name: len(item.label_keys) for item in metrics.descriptors()}
    base = ["x"] * len(metrics.BASE_LABELS)
    found = list(metrics.measure((*metrics.CONTAINER_METRICS, *metrics.POD_METRICS), source, base))
    for metric in found:
        assert len(metric.label_values) == described[metric.name], metric.name
    values = {metric.name: metric.value.value for metric in found}
    assert values["container_cpu_usage_seconds_total"] == 5
    assert values["container_spec_cpu_shares"] == 2
    assert values["container_network_transmit_packets_dropped_total"] == 8
    assert values["container_start_time_seconds"] == 5
