"""From the cluster's nodes to what this one needs. No input or output: values in, values out."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

BRIDGE = "nodestrap1"  # nodestrap0 is the network that a node has before it is in a cluster
MASQUERADE, FORWARD = "NODESTRAP-POD-MASQ", "NODESTRAP-POD-FORWARD"  # chains; 28 letters at most


@dataclass(frozen=True)
class Node:
    """What matters of a node."""

    name: str
    pod_cidrs: tuple[str, ...]  # one per address family; none until the controller manager has chosen
    addresses: tuple[str, ...]

    @classmethod
    def parse(cls, item: Mapping[str, Any]) -> Node:
        """From the API's form."""
        spec, status = item.get("spec") or {}, item.get("status") or {}
        cidrs = spec.get("podCIDRs") or ([spec["podCIDR"]] if spec.get("podCIDR") else [])
        addresses = [a["address"] for a in status.get("addresses") or () if a.get("type") == "InternalIP"]
        return cls(item["metadata"]["name"], tuple(cidrs), tuple(addresses))


@dataclass(frozen=True)
class Plan:
    """What shall be on this node."""

    conflist: str
    routes: Mapping[str, str]  # prefix: next hop
    rules: Mapping[int, str]  # by IP version, for iptables-restore --noflush


def plan(own_name: str, nodes: Iterable[Node], subnets: Iterable[str]) -> Plan | None:
    """What the nodes ask of the one called ``own_name``; None while it has no pod addresses yet.

    ``subnets`` are those of all pods: traffic within them keeps its source address.
    """
    known = {node.name: node for node in nodes}
    own = known.pop(own_name, None)
    if own is None or not own.pod_cidrs:
        return None
    return Plan(
        conflist=conflist(own.pod_cidrs), routes=routes(known.values()), rules=rules(own.pod_cidrs, subnets)
    )


def conflist(cidrs: Iterable[str]) -> str:
    """The CNI configuration of a bridge with addresses from these ranges."""
    cidrs = tuple(cidrs)
    defaults = {4: "0.0.0.0/0", 6: "::/0"}
    bridge = {
        "type": "bridge",
        "bridge": BRIDGE,
        "isGateway": True,
        "forceAddress": True,  # a node that was removed and came back may have another range
        "ipMasq": False,  # it would hide pods from other nodes' pods; the agent's own rules do not
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            "ranges": [[{"subnet": cidr}] for cidr in cidrs],
            "routes": [{"dst": defaults[version(cidr)]} for cidr in cidrs],
        },
    }
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    document = {"cniVersion": "0.4.0", "name": "nodestrap-routed", "plugins": [bridge, ports]}
    return json.dumps(document, indent=2) + "\n"


def routes(others: Iterable[Node]) -> dict[str, str]:
    """To each other node's pods, by way of its address of the same family."""
    found = {}
    for node in others:
        hops = {version(address): address for address in reversed(node.addresses)}
        for cidr in node.pod_cidrs:
            if version(cidr) in hops:
                found[cidr] = hops[version(cidr)]
    return found


def rules(cidrs: Iterable[str], subnets: Iterable[str]) -> dict[int, str]:
    """Chains of our own: pods leave the cluster under the node's address, and are let through."""
    cidrs, subnets = tuple(cidrs), tuple(subnets)
    texts = {}
    for family in sorted({version(cidr) for cidr in cidrs}):
        own = [cidr for cidr in cidrs if version(cidr) == family]
        all_pods = [subnet for subnet in subnets if version(subnet) == family] or own
        multicast = "224.0.0.0/4" if family == 4 else "ff00::/8"
        nat = [f"-A {MASQUERADE} -d {inside} -j RETURN" for inside in (*all_pods, multicast)]
        nat += [f"-A {MASQUERADE} -s {cidr} -j MASQUERADE" for cidr in own]
        forward = [f"-A {FORWARD} {way} {pods} -j ACCEPT" for pods in all_pods for way in ("-s", "-d")]
        lines = ["*nat", f":{MASQUERADE} - [0:0]", *nat, "COMMIT"]
        lines += ["*filter", f":{FORWARD} - [0:0]", *forward, "COMMIT"]
        texts[family] = "\n".join(lines) + "\n"
    return texts


def version(text: str) -> int:
    """4 or 6, of an address or a prefix."""
    return ipaddress.ip_network(text, strict=False).version
