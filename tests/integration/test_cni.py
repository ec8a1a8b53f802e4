"""Pod networks with plugins of CNI 1.1: what the plugins are told, and what comes of it."""

from __future__ import annotations

import ipaddress
import json
import re
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from installer.verify.client import CriError
from pycri._generated import cri_pb2 as cri
from tests.support import debian
from tests.support.containerd import ContainerdHost
from tests.support.control_node import ControlNode, control_node
from tests.support.cri_pods import Pods, await_true

pytestmark = pytest.mark.integration

# Passes the previous result on, writes down what it was told, and fails the verb that a file names.
PROBE = """#!/usr/bin/python3 -SE
import json, os, sys
request, verb = json.load(sys.stdin), os.environ["CNI_COMMAND"]
with open("{0}/told", "a") as told:
    told.write(json.dumps([verb, request]) + "\\n")
if verb == "VERSION":
    print(json.dumps({{"cniVersion": "1.1.0", "supportedVersions": ["1.0.0", "1.1.0"]}}))
elif os.path.exists("{0}/fail-" + verb):
    print(json.dumps({{"code": 50, "msg": "probe says no"}}))
    sys.exit(1)
elif verb == "ADD":
    print(json.dumps(request["prevResult"]))
"""
SECTIONS = """gc = true
[metrics]
enabled = true
port = 0
"""
CAPABILITIES = ("portMappings", "bandwidth", "ipRanges", "dns", "aliases")


class Probe:
    """The probing plugin at the end of the chain."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        file = directory / "probe"
        file.write_text(PROBE.format(directory))
        file.chmod(0o755)

    def fail(self, verb: str, on: bool = True) -> None:
        path = self.directory / f"fail-{verb}"
        path.touch() if on else path.unlink()

    def told(self, verb: str) -> list[dict[str, Any]]:
        lines = (self.directory / "told").read_text().splitlines()
        return [request for name, request in map(json.loads, lines) if name == verb]


@pytest.fixture(scope="module")
def probe(tmp_path_factory: pytest.TempPathFactory) -> Probe:
    directory = tmp_path_factory.mktemp("bin")
    for plugin in (debian.unpack("sid", "containernetworking-plugins") / "usr/lib/cni").iterdir():
        (directory / plugin.name).symlink_to(plugin)
    return Probe(directory)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory, probe: Probe) -> Iterator[ControlNode]:
    host = ContainerdHost(cni_bin_dir=str(probe.directory))
    work = tmp_path_factory.mktemp("node")
    with control_node(work, containerd=host, extra_sections=SECTIONS) as made:
        write_conflist(made)
        yield made


def write_conflist(node: ControlNode, **fields: Any) -> None:
    path = node.containerd.cni_conf_dir / "10-test.conflist"
    bridge = json.loads(path.read_text())["plugins"][0]
    subnet = ipaddress.ip_network(node.containerd.subnet)
    six = f"fd00:{int(subnet.network_address) >> 8 & 0xFFFF:x}::/64"
    bridge["ipam"]["ranges"] = [[{"subnet": node.containerd.subnet}], [{"subnet": six}]]
    told = {"type": "probe", "capabilities": dict.fromkeys(CAPABILITIES, True)}
    conflist = {"cniVersion": "1.1.0", "name": node.containerd.bridge, "plugins": [bridge, told], **fields}
    path.write_text(json.dumps(conflist))


@pytest.fixture
def pods(node: ControlNode) -> Iterator[Pods]:
    yield node.pods
    for pod in node.pods.pods():
        node.pods.remove_pod(pod)
    assert not any(node.leftovers().values()), node.leftovers()


def restart(node: ControlNode) -> None:
    node.pycri.end("control")
    node.pycri.start("control", ["serve", "--control-only"])
    node.pycri.wait_ready()


def test_a_pod_has_an_address_of_each_family(pods: Pods) -> None:
    pod = pods.run()
    network = pods.sandbox(pod).network
    (other,) = network.additional_ips
    assert (ipaddress.ip_address(network.ip).version, ipaddress.ip_address(other.ip).version) == (4, 6)
    container = pods.start(pod, "sleep", "1000")
    shown = pods.exec(container, "ip", "addr", "show", "eth0").stdout.decode()
    assert network.ip in shown
    assert other.ip in shown


def test_plugins_are_told_what_they_declare(probe: Probe, pods: Pods) -> None:
    request = cri.UpdateRuntimeConfigRequest()
    request.runtime_config.network_config.pod_cidr = "10.99.0.0/24,fd00:99::/64"
    pods.runtime.UpdateRuntimeConfig(request)
    pod = pods.run(
        hostname="web-0",
        port_mappings=[cri.PortMapping(container_port=80, host_port=8080, protocol=cri.TCP)],
        annotations={"kubernetes.io/ingress-bandwidth": "1M"},
        dns_config=cri.DNSConfig(servers=["192.0.2.1"], searches=["a.test"], options=["ndots:2"]),
    )
    told = probe.told("ADD")[-1]["runtimeConfig"]
    assert told == {
        "portMappings": [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}],
        "bandwidth": {"ingressRate": 1_000_000, "ingressBurst": 2**31 - 1},
        "ipRanges": [[{"subnet": "10.99.0.0/24"}], [{"subnet": "fd00:99::/64"}]],
        "dns": {"servers": ["192.0.2.1"], "searches": ["a.test"], "options": ["ndots:2"]},
        "aliases": ["web-0", told["aliases"][1]],
    }
    name = pods.sandbox(pod).metadata.name
    assert told["aliases"][1] == name
    pods.remove_pod(pod)
    assert probe.told("DEL")[-1]["prevResult"]["ips"]  # the result is kept for DEL


def test_a_wrong_pod_cidr_is_refused_and_a_right_one_is_kept(
    node: ControlNode, probe: Probe, pods: Pods
) -> None:
    request = cri.UpdateRuntimeConfigRequest()
    request.runtime_config.network_config.pod_cidr = "10.98.0.0/99"
    with pytest.raises(CriError, match=r"INVALID_ARGUMENT.*10\.98"):
        pods.runtime.UpdateRuntimeConfig(request)
    request.runtime_config.network_config.pod_cidr = "10.97.0.0/24"
    pods.runtime.UpdateRuntimeConfig(request)
    restart(node)
    pods.run()
    assert probe.told("ADD")[-1]["runtimeConfig"]["ipRanges"] == [[{"subnet": "10.97.0.0/24"}]]


def test_an_add_that_fails_half_way_is_undone(node: ControlNode, probe: Probe, pods: Pods) -> None:
    config = pods.config()
    probe.fail("ADD")
    with pytest.raises(CriError, match=r'"probe" ADD.*probe says no'):
        pods.run(config)
    assert not any(node.leftovers().values()), node.leftovers()
    probe.fail("ADD", on=False)
    pods.run(config)


def test_status_decides_whether_the_network_is_ready(probe: Probe, pods: Pods) -> None:
    assert pods.conditions()["NetworkReady"].status
    probe.fail("STATUS")
    condition = pods.conditions()["NetworkReady"]
    assert (condition.status, condition.reason) == (False, "NetworkPluginNotReady")
    assert "probe says no" in condition.message
    probe.fail("STATUS", on=False)
    assert pods.conditions()["NetworkReady"].status


def test_a_start_checks_the_pods_networks_and_goes_on(node: ControlNode, pods: Pods) -> None:
    whole, damaged = pods.run(), pods.run()
    request = cri.PodSandboxStatusRequest(pod_sandbox_id=damaged, verbose=True)
    info = json.loads(pods.runtime.PodSandboxStatus(request).info["info"])
    flush = ["nsenter", f"--net=/proc/{info['pid']}/ns/net", "ip", "addr", "flush", "dev", "eth0"]
    subprocess.run(flush, check=True)
    restart(node)
    name = pods.sandbox(damaged).metadata.name
    await_true(lambda: f"network of pod test/{name} is not as it was made" in node.pycri.log)
    assert node.pycri.log.count("is not as it was made") == 1
    assert {pods.sandbox(pod).state for pod in (whole, damaged)} == {cri.SANDBOX_READY}


def test_a_start_collects_what_no_pod_has(node: ControlNode, probe: Probe, pods: Pods) -> None:
    pod = pods.run()
    network = pods.sandbox(pod).network
    mine = {network.ip, network.additional_ips[0].ip}
    restart(node)
    collected = probe.told("GC")[-1]
    assert collected["cni.dev/valid-attachments"] == [{"containerID": pod, "ifname": "eth0"}]
    assert mine <= node.addresses()
    before = len(probe.told("GC"))
    write_conflist(node, disableGC=True)
    restart(node)
    assert len(probe.told("GC")) == before
    write_conflist(node)


def test_the_daemon_counts_what_it_does(node: ControlNode, pods: Pods) -> None:
    pods.pull()
    pods.remove_pod(pods.run())
    with pytest.raises(CriError):
        pods.sandbox("none")
    url = re.findall(r"metrics of pycri itself are on (\S+)", node.pycri.log)[-1]
    assert url.startswith("http://127.0.0.1:")
    page = urllib.request.urlopen(url, timeout=10).read().decode()
    samples = [line.rsplit(" ", 1) for line in page.splitlines() if not line.startswith("#")]
    values = {name: float(value) for name, value in samples}
    assert values['pycri_rpc_total{method="RunPodSandbox",code="OK"}'] >= 1
    assert values['pycri_rpc_total{method="PodSandboxStatus",code="NOT_FOUND"}'] == 1
    assert values['pycri_rpc_duration_seconds_count{method="RunPodSandbox"}'] >= 1
    assert values['pycri_cni_operations_total{verb="ADD",plugin="bridge",result="ok"}'] >= 1
    assert values['pycri_cni_operation_duration_seconds_count{verb="DEL",plugin="probe"}'] >= 1
    assert values['pycri_image_pulls_total{result="ok"}'] >= 1
    assert values['pycri_sandboxes{state="ready"}'] == 0
    assert values["process_resident_memory_bytes"] > 0
