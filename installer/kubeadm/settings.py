"""What kubeadm's documents are made from: frozen values, that raise InventoryError when they are wrong."""

from __future__ import annotations

import ipaddress
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from installer.errors import InventoryError
from installer.kubeadm.node_labels import check_labels
from installer.kubeadm.version import KubernetesVersion

API_SERVER_PORT: Final = 6443
CRI_SOCKET: Final = "unix:///run/pycri/pycri.sock"
SANDBOX_IMAGE: Final = "localhost/pycri-pause:1"

_TOKEN: Final = re.compile(r"[a-z0-9]{6}\.[a-z0-9]{16}")
_CERTIFICATE_KEY: Final = re.compile(r"[0-9a-f]{64}")
_CA_HASH: Final = re.compile(r"sha256:[0-9a-f]{64}")
_ENDPOINT: Final = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+)(?::(?P<port>\d{1,5}))?")
_TAINT: Final = re.compile(
    r"(?P<key>[\w./-]+)(?:=(?P<value>[\w.-]*))?:(?P<effect>NoSchedule|PreferNoSchedule|NoExecute)"
)
_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")


@dataclass(frozen=True)
class Taint:
    """``key=value:Effect``, the value optional."""

    key: str
    value: str
    effect: str

    @classmethod
    def parse(cls, text: str) -> Taint:
        found = _TAINT.fullmatch(text)
        if found is None:
            raise InventoryError(
                f"taint {text!r} is not of the form key=value:Effect",
                fix="the effect is NoSchedule, PreferNoSchedule or NoExecute; =value may be left out",
            )
        return cls(found["key"], found["value"] or "", found["effect"])


@dataclass(frozen=True)
class Cluster:
    """What is the same on every node."""

    version: KubernetesVersion
    cgroup_driver: str  # systemd or cgroupfs: pycri's
    control_plane_endpoint: str | None = (
        None  # host or host:port; None: the first control plane's own address
    )
    pod_subnets: tuple[str, ...] = ()  # one per address family
    service_subnets: tuple[str, ...] = ()
    dns_domain: str = "cluster.local"
    extra_sans: tuple[str, ...] = ()
    image_repository: str | None = None
    cgroup_v1: bool = False  # some node runs on cgroup v1
    leave_conntrack: bool = False  # kube-proxy must not write the node's conntrack settings
    skip_phases: tuple[str, ...] = ()  # of kubeadm init, such as addon/coredns

    def __post_init__(self) -> None:
        if self.cgroup_driver not in ("systemd", "cgroupfs"):
            raise InventoryError(
                f"cgroup driver {self.cgroup_driver!r} is not known to the kubelet",
                fix="set pycri_cgroup_driver to systemd or cgroupfs",
            )
        if self.control_plane_endpoint is not None:
            check_endpoint(self.control_plane_endpoint)
        for what, subnets in (("pod", self.pod_subnets), ("service", self.service_subnets)):
            _check_subnets(what, subnets)

    @property
    def dual_stack(self) -> bool:
        return len(self.pod_subnets) > 1 or len(self.service_subnets) > 1


@dataclass(frozen=True)
class Node:
    """One host, as it registers."""

    name: str
    ips: tuple[str, ...]  # the node's own, one per address family; the first is the API server's
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Taint, ...] = ()
    schedulable: bool = False  # a control plane without the taint that keeps pods away
    cgroup_driver: str | None = None  # where it is not the cluster's
    resolv_conf: str | None = None  # for pods, where /etc/resolv.conf names a resolver on the node itself
    overrides: Mapping[str, Any] = field(default_factory=dict)  # kubeadm_overrides of this host

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name) or ".." in self.name:
            raise InventoryError(
                f"{self.name!r} cannot be the name of a node",
                fix="set kubernetes_node_name to lower-case letters, digits, - and .",
            )
        families = [_address(ip).version for ip in self.ips]
        if not families or len(set(families)) != len(families):
            raise InventoryError(
                f"{self.name}: a node has one IP address, or one per address family, not {list(self.ips)!r}",
                fix="set kubernetes_node_ip, such as 10.0.0.5 or 10.0.0.5,fd00::5",
            )
        check_labels(self.labels)


@dataclass(frozen=True)
class Secrets:
    """What must not show in a log, an argument or a process list. Valid for one run."""

    token: str = field(repr=False)
    certificate_key: str | None = field(default=None, repr=False)  # only where control planes join
    token_ttl: str = "1h0m0s"

    def __post_init__(self) -> None:
        if not _TOKEN.fullmatch(self.token):
            raise InventoryError(
                "the token given is no kubeadm token", fix="it looks like abcdef.0123456789abcdef"
            )
        if self.certificate_key is not None and not _CERTIFICATE_KEY.fullmatch(self.certificate_key):
            raise InventoryError(
                "the certificate key given is not 64 hexadecimal digits",
                fix="make one with openssl rand -hex 32",
            )

    @property
    def token_id(self) -> str:
        """The token's public half: it names the token, and is no secret."""
        return self.token.partition(".")[0]

    @classmethod
    def generate(cls, *, certificate_key: bool) -> Secrets:
        """New ones, from the system's randomness."""
        alphabet = "abcdefghijklmnopqrstuvwxyz0123456789"
        part = ["".join(secrets.choice(alphabet) for _ in range(length)) for length in (6, 16)]
        return cls(".".join(part), secrets.token_hex(32) if certificate_key else None)


@dataclass(frozen=True)
class Discovery:
    """How a joining host finds the cluster and knows that it is the right one."""

    endpoint: str = ""  # host:port of an API server
    ca_cert_hashes: tuple[str, ...] = ()
    file: str | None = None  # a kubeconfig file on the joining host, in the place of both

    def __post_init__(self) -> None:
        if self.file is not None:
            return
        check_endpoint(self.endpoint)
        if not self.ca_cert_hashes:
            raise InventoryError(
                "joining without the CA's hash would trust whoever answers",
                fix="give --ca-cert-hash sha256:…, or a --discovery-file",
            )
        for text in self.ca_cert_hashes:
            if not _CA_HASH.fullmatch(text):
                raise InventoryError(
                    f"{text!r} is no hash of a CA key", fix="it is sha256: and 64 hexadecimal digits"
                )


def check_endpoint(text: str) -> None:
    """Raises InventoryError unless ``text`` is a host or host:port (IPv6 in brackets)."""
    found = _ENDPOINT.fullmatch(text)
    port_ok = found is not None and (found["port"] is None or 0 < int(found["port"]) < 65536)
    if not port_ok:
        raise InventoryError(
            f"control plane endpoint {text!r} is not host or host:port",
            fix="such as api.example.org:6443, 10.0.0.10 or [fd00::10]:6443",
        )


def with_port(endpoint: str) -> str:
    """The endpoint with kubeadm's default port where it names none."""
    found = _ENDPOINT.fullmatch(endpoint)
    return endpoint if found and found["port"] else f"{endpoint}:{API_SERVER_PORT}"


def _check_subnets(what: str, subnets: tuple[str, ...]) -> None:
    try:
        families = [ipaddress.ip_network(text).version for text in subnets]
    except ValueError as error:
        raise InventoryError(
            f"{what} subnet: {error}", fix=f"set kubernetes_{what}_subnet, such as 10.244.0.0/16"
        ) from error
    if len(set(families)) != len(families):
        raise InventoryError(
            f"{what} subnets {', '.join(subnets)} are of one address family",
            fix=f"set kubernetes_{what}_subnet to one subnet, or to one of IPv4 and one of IPv6",
        )


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        return ipaddress.ip_address(text)
    except ValueError as error:
        raise InventoryError(
            f"node IP {text!r} is no IP address", fix="set kubernetes_node_ip to one of the host's addresses"
        ) from error
