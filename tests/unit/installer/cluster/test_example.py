"""The example that we tell people to copy is an inventory that we accept."""

from __future__ import annotations

from pathlib import Path

from installer.cluster.inventory import read_cluster


def test_example_inventory() -> None:
    spec = read_cluster([str(Path(__file__).parents[4] / "inventories" / "example")])
    assert spec.name == "example"
    assert [host.is_control_plane for host in spec.hosts] == [True, False, False]
    assert spec.host("worker2").connection.port == 2222
