"""installer/verify/fleet.py: which hosts of an inventory are asked for what."""

from __future__ import annotations

from pathlib import Path

from installer.verify import fleet
from tests.unit.installer.hosts import cluster, host

ADDRESS = "unix:///run/pycri/pycri.sock"


def targets(*tiers: int) -> dict[str, tuple[int, ...] | None]:
    spec = cluster(host("node1"), host("node2"), state_dir=Path("/nonexistent"))
    found = fleet.inventory_targets(spec, ADDRESS, Path("/nonexistent"), tiers)
    assert {target.address for target in found} == {ADDRESS}
    return {target.host: target.tiers for target in found}


def test_every_host_is_asked_and_one_control_plane_for_the_cluster() -> None:
    assert targets(0, 1, 2) == {"node1": (0, 1, 2), "node2": (0, 1, 2)}
    assert targets(2, 3) == {"node1": (2, 3), "node2": (2,)}
    assert targets(3) == {"node1": (3,)}
