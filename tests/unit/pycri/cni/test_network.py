"""pycri/cni/network.py: what plugins are told of a pod."""

import pytest

from pycri import errors
from pycri._generated import cri_pb2 as cri
from pycri.cni.network import attachment

META = cri.PodSandboxMetadata(name="web", namespace="prod", uid="u-1")


def test_arguments_and_capabilities():
    pod = cri.PodSandboxConfig(
        metadata=META,
        port_mappings=[
            cri.PortMapping(container_port=80, host_port=8080, protocol=cri.UDP, host_ip="1.2.3.4"),
            cri.PortMapping(container_port=81),
        ],
        annotations={"kubernetes.io/ingress-bandwidth": "10M", "kubernetes.io/egress-bandwidth": "1Ki"},
        dns_config=cri.DNSConfig(servers=["9.9.9.9"]),
        linux=cri.LinuxPodSandboxConfig(cgroup_parent="/kubepods/x"),
    )
    found = attachment("id", "/run/netns/n", pod)
    assert found.arguments["K8S_POD_NAME"] == "web"
    assert found.arguments["K8S_POD_INFRA_CONTAINER_ID"] == "id"
    capabilities = found.capabilities
    assert capabilities["portMappings"] == [
        {"hostPort": 8080, "containerPort": 80, "protocol": "udp", "hostIP": "1.2.3.4"}
    ]
    assert capabilities["bandwidth"]["ingressRate"] == 10_000_000
    assert capabilities["bandwidth"]["egressRate"] == 1024
    assert capabilities["dns"]["servers"] == ["9.9.9.9"]
    assert capabilities["cgroupPath"] == "/kubepods/x"


@pytest.mark.parametrize(
    "change",
    [
        {"metadata": cri.PodSandboxMetadata(name="a;K8S_POD_NAMESPACE=kube-system")},
        {"port_mappings": [cri.PortMapping(container_port=0, host_port=80)]},
        {"port_mappings": [cri.PortMapping(container_port=80, host_port=70000)]},
        {"annotations": {"kubernetes.io/ingress-bandwidth": "fast"}},
    ],
)
def test_what_cannot_be_passed_on_is_refused(change):
    with pytest.raises(errors.InvalidArgument):
        attachment("id", "", cri.PodSandboxConfig(**{"metadata": META, **change}))
