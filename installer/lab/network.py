"""The network of an nspawn lab: a bridge, a network namespace per host, masquerading to the outside.

The namespaces are files below the lab's directory, not in /run/netns, so nothing shared is touched. Every
iptables rule carries the lab's comment, every interface its tag; both are found again by that alone.
"""

from __future__ import annotations

import ipaddress
import json
import os
import shlex
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from installer.errors import NodestrapError
from installer.lab.lock import exclusive
from installer.lab.mounts import mounts_below
from installer.lab.tools import run

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from installer.lab.state import Host, Lab

CANDIDATES = ipaddress.ip_network("10.213.0.0/16")
"""Lab subnets are /24s of this: outside of kubeadm's defaults and of the usual pod networks."""

_RUN = Path("/run/nodestrap-lab")
_LOCK = Path("/run/nodestrap-lab.lock")
_SUBNET_LOCK = Path("/run/nodestrap-lab-subnet.lock")
_FORWARD = Path("/proc/sys/net/ipv4/ip_forward")


def pick_subnet(reserved: Iterable[str] = ()) -> str:
    """A /24 that no route, address or `reserved` subnet of this machine overlaps.

    Raises NodestrapError when all 256 are taken.
    """
    taken = [ipaddress.ip_network(subnet) for subnet in reserved] + _subnets_in_use()
    for candidate in CANDIDATES.subnets(new_prefix=24):
        if not any(candidate.overlaps(other) for other in taken):
            return str(candidate)
    raise NodestrapError(f"Every /24 of {CANDIDATES} is in use.", fix="Take a lab down: nodestrap lab list")


@contextmanager
def choosing_subnet() -> Iterator[None]:
    """Keep the machine's other labs, also those of other checkouts, from picking a subnet meanwhile."""
    with exclusive(_SUBNET_LOCK, "the lab subnets", wait=True):
        yield


def create(lab: Lab) -> None:
    """Make the bridge with the machine's address on it, and let its hosts out. Does nothing twice."""
    if not _link_exists(lab.bridge):
        run("ip", "link", "add", lab.bridge, "type", "bridge")
    run("ip", "address", "replace", f"{lab.gateway}/24", "dev", lab.bridge)
    run("ip", "link", "set", lab.bridge, "up")
    with exclusive(_LOCK, "the lab networks", wait=True):
        _enable_forwarding(lab.tag)
        present = set(_own_rules(lab.tag))
        for rule in _rules(lab):
            if rule not in present:
                run("iptables", "-w", *rule)


def attach(lab: Lab, host: Host) -> Path:
    """Make the host's network namespace, addressed and on the bridge; returns its file. Idempotent."""
    namespace = lab.directory_of(host) / "netns"
    if not mounts_below(namespace):
        namespace.touch()
        run("unshare", f"--net={namespace}", "true")
    outside = f"nsl{lab.tag}-{host.index}"
    if not _link_exists(outside):
        # Created from the inside: this way no name has to be free in both namespaces.
        _inside(
            namespace,
            "ip",
            "link",
            "add",
            "eth0",
            "type",
            "veth",
            "peer",
            "name",
            outside,
            "netns",
            str(os.getpid()),
        )
        run("ip", "link", "set", outside, "master", lab.bridge, "up")
    _inside(namespace, "ip", "link", "set", "lo", "up")
    _inside(namespace, "ip", "address", "replace", f"{host.address}/24", "dev", "eth0")
    _inside(namespace, "ip", "link", "set", "eth0", "up")
    _inside(namespace, "ip", "route", "replace", "default", "via", lab.gateway)
    return namespace


def remove(tag: str, bridge: str) -> None:
    """Take rules, veths and bridge away, and forwarding as it was once the last lab has gone."""
    with exclusive(_LOCK, "the lab networks", wait=True):
        # Without iptables there can be no rules of ours: this machine has only run VMs.
        for rule in _own_rules(tag) if shutil.which("iptables") else ():
            run("iptables", "-w", *("-D" if word in ("-A", "-I") else word for word in rule))
        _release_forwarding(tag)
    for link in [bridge, *(name for name in _links() if name.startswith(f"nsl{tag}-"))]:
        if _link_exists(link):
            run("ip", "link", "delete", link)


def _rules(lab: Lab) -> list[tuple[str, ...]]:
    """Rules as `iptables -S` prints them, so that present ones are recognised."""
    mark = ("-m", "comment", "--comment", _comment(lab.tag))
    nat = ("-t", "nat", "-A", "POSTROUTING", "-s", lab.subnet, "!", "-d", lab.subnet)
    return [
        (*nat, *mark, "-j", "MASQUERADE"),
        # Where a firewall's policy is to drop, the bridge must still reach the registry and the outside.
        ("-t", "filter", "-I", "INPUT", "-i", lab.bridge, *mark, "-j", "ACCEPT"),
        ("-t", "filter", "-I", "FORWARD", "-i", lab.bridge, *mark, "-j", "ACCEPT"),
        ("-t", "filter", "-I", "FORWARD", "-o", lab.bridge, *mark, "-j", "ACCEPT"),
    ]


def _own_rules(tag: str) -> list[tuple[str, ...]]:
    """Rules with the lab's comment, written as `_rules` writes them."""
    found = []
    for table, verb in (("nat", "-A"), ("filter", "-I")):
        for line in run("iptables", "-w", "-t", table, "-S").splitlines():
            words = shlex.split(line)
            if words[0] == "-A" and _comment(tag) in words:
                found.append(("-t", table, verb, *words[1:]))
    return found


def _comment(tag: str) -> str:
    return f"nodestrap-lab:{tag}"


def _enable_forwarding(tag: str) -> None:
    """Remember the machine's setting on behalf of all labs, then switch forwarding on."""
    _RUN.mkdir(exist_ok=True)
    before = _RUN / "ip_forward"
    if not before.exists():
        before.write_text(_FORWARD.read_text())
    (_RUN / tag).touch()
    _FORWARD.write_text("1\n")


def _release_forwarding(tag: str) -> None:
    if not _RUN.is_dir():
        return
    (_RUN / tag).unlink(missing_ok=True)
    before = _RUN / "ip_forward"
    if [entry.name for entry in _RUN.iterdir()] in ([], [before.name]):
        if before.exists():
            _FORWARD.write_text(before.read_text())
            before.unlink()
        _RUN.rmdir()


def _subnets_in_use() -> list[ipaddress.IPv4Network]:
    routes = json.loads(run("ip", "-json", "-4", "route", "show", "table", "all"))
    networks = [
        ipaddress.IPv4Network(route["dst"], strict=False) for route in routes if route["dst"] != "default"
    ]
    return [network for network in networks if network.prefixlen]


def _links() -> list[str]:
    return [entry.name for entry in Path("/sys/class/net").iterdir()]


def _link_exists(name: str) -> bool:
    return Path("/sys/class/net", name).exists()


def _inside(namespace: Path, *argv: str) -> None:
    run("nsenter", f"--net={namespace}", *argv)
