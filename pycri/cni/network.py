"""A pod's network as the sandbox verbs use it: what to tell the plugins, attach, detach, readiness."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from pycri import errors
from pycri._generated import cri_pb2 as cri
from pycri.cni import config as conflists
from pycri.cni.config import ConfDirectory, Conflist
from pycri.cni.invoke import INTERFACE, Attachment, Plugins
from pycri.cni.pod_cidrs import PodCidrs
from pycri.cni.result import Result
from pycri.config import Cni

_PROTOCOLS = {cri.TCP: "tcp", cri.UDP: "udp", cri.SCTP: "sctp"}
_QUANTITY = re.compile(r"(\d+(?:\.\d+)?)(m|k|M|G|T|Ki|Mi|Gi|Ti)?")
_SCALE = {"": 1.0, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
_SCALE |= {"Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40}


class Network:
    """The node's pod network."""

    def __init__(self, settings: Cni, cidr_file: str = "") -> None:
        self._directory = ConfDirectory(settings.conf_dir)
        self._plugins = Plugins(settings.bin_dirs)
        self._cidrs = PodCidrs(cidr_file)

    def current(self) -> Conflist:
        """The conflist a new pod gets. Raises FailedPrecondition."""
        return self._directory.current()

    def set_pod_cidr(self, text: str) -> None:
        """What the kubelet says of the node's addresses; given to plugins with the capability ipRanges.

        Raises InvalidArgument, OSError.
        """
        self._cidrs.set(text)

    async def collect(self, sandboxes: Iterable[tuple[str, str]]) -> bool:
        """GC of the network in force: only ``sandboxes``, ids and their conflists, keep what they have.

        False where the network's version or configuration has no GC. Raises FailedPrecondition, PluginError.
        """
        current = self.current()
        valid = [
            (sandbox_id, INTERFACE)
            for sandbox_id, conflist in sandboxes
            if conflist and conflists.parse(conflist).name == current.name
        ]
        return await self._plugins.collect(current, valid)

    async def problem(self) -> str:
        """Why no pod could be attached now; empty when one could."""
        try:
            await self._plugins.status(self.current())
        except errors.PycriError as error:
            return str(error)
        return ""

    async def attach(
        self, conflist: Conflist, sandbox_id: str, netns: str, pod: cri.PodSandboxConfig
    ) -> Result:
        """ADD. Raises PluginError."""
        result = await self._plugins.add(conflist, self._attachment(sandbox_id, netns, pod))
        if not result.ips:
            raise errors.Unknown(f'network "{conflist.name}" gave pod {pod.metadata.name} no address')
        return result

    async def detach(
        self, conflist: str, result: str, sandbox_id: str, netns: str, pod: cri.PodSandboxConfig
    ) -> None:
        """DEL with the conflist and result of the ADD (both JSON). Raises PluginError."""
        await self._plugins.delete(
            conflists.parse(conflist), self._attachment(sandbox_id, netns, pod), result
        )

    async def check(
        self, conflist: str, result: str, sandbox_id: str, netns: str, pod: cri.PodSandboxConfig
    ) -> None:
        """CHECK. Raises PluginError."""
        await self._plugins.check(conflists.parse(conflist), self._attachment(sandbox_id, netns, pod), result)

    def _attachment(self, sandbox_id: str, netns: str, pod: cri.PodSandboxConfig) -> Attachment:
        return attachment(sandbox_id, netns, pod, self._cidrs.ranges)


def attachment(
    sandbox_id: str, netns: str, pod: cri.PodSandboxConfig, ip_ranges: list[Any] | None = None
) -> Attachment:
    """What the plugins learn of a pod; ``ip_ranges`` is the capability's value. Raises InvalidArgument."""
    meta = pod.metadata
    arguments = {
        "IgnoreUnknown": "1",
        "K8S_POD_NAMESPACE": meta.namespace,
        "K8S_POD_NAME": meta.name,
        "K8S_POD_INFRA_CONTAINER_ID": sandbox_id,
        "K8S_POD_UID": meta.uid,
    }
    for key, value in arguments.items():
        if re.search(r"[;=\x00-\x1f]", value):
            raise errors.InvalidArgument(f"{key} {value!r} cannot be given to CNI plugins")
    capabilities = _capabilities(pod)
    if ip_ranges:
        capabilities["ipRanges"] = ip_ranges
    return Attachment(sandbox_id, netns, arguments, capabilities)


def _capabilities(pod: cri.PodSandboxConfig) -> dict[str, Any]:
    """runtimeConfig by capability; a plugin gets those it declares (CNI conventions)."""
    found: dict[str, Any] = {"io.kubernetes.cri.pod-annotations": dict(pod.annotations)}
    found["aliases"] = list(dict.fromkeys(name for name in (pod.hostname, pod.metadata.name) if name))
    ports = [_port(mapping) for mapping in pod.port_mappings if mapping.host_port > 0]
    if ports:
        found["portMappings"] = ports
    bandwidth = _bandwidth(pod)
    if bandwidth:
        found["bandwidth"] = bandwidth
    dns = pod.dns_config
    if dns.servers or dns.searches or dns.options:
        found["dns"] = {"servers": [*dns.servers], "searches": [*dns.searches], "options": [*dns.options]}
    if pod.linux.cgroup_parent:
        found["cgroupPath"] = pod.linux.cgroup_parent
    return found


def _port(mapping: cri.PortMapping) -> dict[str, Any]:
    if not 0 < mapping.container_port < 65536 or not mapping.host_port < 65536:
        raise errors.InvalidArgument(
            f"port mapping {mapping.host_port} -> {mapping.container_port}: ports are 1 to 65535"
        )
    port = {
        "hostPort": mapping.host_port,
        "containerPort": mapping.container_port,
        "protocol": _PROTOCOLS[mapping.protocol],
    }
    if mapping.host_ip:
        port["hostIP"] = mapping.host_ip
    return port


def _bandwidth(pod: cri.PodSandboxConfig) -> dict[str, int]:
    """The kubernetes.io/*-bandwidth annotations, in bits per second; the burst is not limited."""
    found = {}
    for direction in ("ingress", "egress"):
        text = pod.annotations.get(f"kubernetes.io/{direction}-bandwidth")
        if text is None:
            continue
        match = _QUANTITY.fullmatch(text)
        if match is None:
            raise errors.InvalidArgument(
                f'annotation kubernetes.io/{direction}-bandwidth: "{text}" is no quantity'
            )
        found[f"{direction}Rate"] = int(float(match[1]) * _SCALE[match[2] or ""])
        found[f"{direction}Burst"] = 2**31 - 1
    return found
