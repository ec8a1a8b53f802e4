"""With the pod network `routed`, nodes hand pods' packets to each other directly: they must be neighbours."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from installer.preflight.finding import Finding, Subject, error


def check(subject: Subject) -> Iterator[Finding]:
    values = subject.host.variables
    if values.get("kubernetes_version") is None or str(values.get("pod_network") or "routed") != "routed":
        return
    networks = [ipaddress.ip_network(text) for text in subject.facts.networks]
    if not networks:
        return  # not to be read; the check "facts" says so
    far = [
        f"{name} ({address})"
        for name, addresses in subject.addresses.items()
        if name != subject.host.name
        for address in addresses
        if not any(ipaddress.ip_address(address) in network for network in networks)
    ]
    if far:
        yield error(
            f"{', '.join(far)} is behind a router; the pod network `routed` needs nodes on one network",
            "set kubernetes_node_ip to addresses on one network, or pod_network to manifest",
        )
