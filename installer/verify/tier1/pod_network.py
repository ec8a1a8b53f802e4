"""The pod's address is the one its containers have."""

from __future__ import annotations

import ipaddress

from installer.verify.check import check, expect
from installer.verify.context import Context


@check(
    "pod.network",
    tier=1,
    title="Containers have the address that the status tells",
    proves="PodSandboxStatus.network.ip and additional_ips; the loopback interface is up",
    fix="compare the CNI result in the daemon's log with `ip address` in the pod",
)
def pod_network(ctx: Context) -> str:
    network = ctx.container.pod.status.network
    addresses = [
        ipaddress.ip_address(ip) for ip in (network.ip, *(each.ip for each in network.additional_ips))
    ]
    found = local_addresses(
        ctx.container.output("sh", "-c", "cat /proc/net/fib_trie; cat /proc/net/if_inet6 2>/dev/null || true")
    )
    for address in addresses:
        expect(address in found, f"the pod has no address {address}; it has {', '.join(map(str, found))}")
    expect(ipaddress.ip_address("127.0.0.1") in found, "the loopback interface is down")
    return f"{', '.join(map(str, addresses))} and loopback"


def local_addresses(listing: str) -> set[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """Addresses of the network namespace, from its fib_trie (local routes) and if_inet6."""
    found: set[ipaddress.IPv4Address | ipaddress.IPv6Address] = set()
    last = ""
    for line in listing.splitlines():
        words = line.split()
        if len(words) == 6 and len(words[0]) == 32:
            found.add(ipaddress.IPv6Address(bytes.fromhex(words[0])))
        elif words[:1] == ["|--"]:
            last = words[1]
        elif words[1:3] == ["host", "LOCAL"] and last:
            found.add(ipaddress.IPv4Address(last))
    return found
