from __future__ import annotations

import json
from typing import Any

from pycri.pod_network.plan import Node, plan


def node(name: str, cidrs: list[str], addresses: list[str]) -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "spec": {"podCIDR": cidrs[0], "podCIDRs": cidrs} if cidrs else {},
        "status": {"addresses": [{"type": "InternalIP", "address": each} for each in addresses]},
    }


def nodes(*items: dict[str, Any]) -> list[Node]:
    return [Node.parse(item) for item in items]


OWN = node("a", ["10.244.0.0/24"], ["192.0.2.1"])
SUBNETS = ["10.244.0.0/16"]


def test_a_route_to_each_other_nodes_pods() -> None:
    wanted = plan("a", nodes(OWN, node("b", ["10.244.1.0/24"], ["192.0.2.2"])), SUBNETS)
    assert wanted is not None
    assert wanted.routes == {"10.244.1.0/24": "192.0.2.2"}


def test_a_node_without_pod_addresses_yet_gets_no_route() -> None:
    wanted = plan("a", nodes(OWN, node("b", [], ["192.0.2.2"])), SUBNETS)
    assert wanted is not None
    assert wanted.routes == {}


def test_nothing_to_do_before_this_node_has_its_own() -> None:
    assert plan("a", nodes(node("a", [], ["192.0.2.1"])), SUBNETS) is None
    assert plan("a", nodes(node("b", ["10.244.1.0/24"], ["192.0.2.2"])), SUBNETS) is None


def test_an_older_api_server_that_knows_one_family() -> None:
    item = {"metadata": {"name": "b"}, "spec": {"podCIDR": "10.244.1.0/24"}, "status": {}}
    assert Node.parse(item) == Node("b", ("10.244.1.0/24",), ())


def test_each_family_goes_by_an_address_of_its_own() -> None:
    own = node("a", ["10.244.0.0/24", "fd00:1::/64"], ["192.0.2.1", "2001:db8::1"])
    other = node("b", ["10.244.1.0/24", "fd00:2::/64"], ["192.0.2.2", "2001:db8::2", "192.0.2.22"])
    wanted = plan("a", nodes(own, other), [*SUBNETS, "fd00::/16"])
    assert wanted is not None
    assert wanted.routes == {"10.244.1.0/24": "192.0.2.2", "fd00:2::/64": "2001:db8::2"}
    ipam = json.loads(wanted.conflist)["plugins"][0]["ipam"]
    assert ipam["ranges"] == [[{"subnet": "10.244.0.0/24"}], [{"subnet": "fd00:1::/64"}]]
    assert ipam["routes"] == [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}]
    assert set(wanted.rules) == {4, 6}


def test_pods_keep_their_address_among_pods_and_get_the_nodes_elsewhere() -> None:
    wanted = plan("a", nodes(OWN), SUBNETS)
    assert wanted is not None
    lines = wanted.rules[4].splitlines()
    inside = lines.index("-A NODESTRAP-POD-MASQ -d 10.244.0.0/16 -j RETURN")
    assert inside < lines.index("-A NODESTRAP-POD-MASQ -s 10.244.0.0/24 -j MASQUERADE")
    assert "-A NODESTRAP-POD-FORWARD -s 10.244.0.0/16 -j ACCEPT" in lines
    assert lines.count("COMMIT") == 2
    assert json.loads(wanted.conflist)["plugins"][0]["ipMasq"] is False


def test_chain_names_are_short_enough_for_iptables() -> None:
    wanted = plan("a", nodes(OWN), SUBNETS)
    assert wanted is not None
    chains = [line.split()[0][1:] for line in wanted.rules[4].splitlines() if line.startswith(":")]
    assert all(len(chain) <= 28 for chain in chains)
