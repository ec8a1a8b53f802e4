"""The inventory is Ansible's, and is nobody's but the lab's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from installer.errors import UsageError
from installer.lab import inventory
from installer.lab.state import Host, Lab

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    hosts = (Host("node1", 1, "10.213.0.11"), Host("node2", 2, "127.0.0.1", 2201))
    return Lab("demo", "nspawn", "10.213.0.0/24", tmp_path / "inventories/lab-demo", hosts)


def test_first_host_is_the_control_plane_the_rest_are_workers(lab: Lab) -> None:
    inventory.write(lab, "http://10.213.0.1:5000")
    groups = yaml.safe_load((lab.inventory / "hosts.yml").read_text())["nodes"]["children"]
    assert groups["control_plane"]["hosts"]["node1"] == {
        "ansible_host": "10.213.0.11",
        "ansible_user": "root",
        "ansible_ssh_private_key_file": str(lab.private_key),
    }
    assert groups["workers"]["hosts"]["node2"]["ansible_port"] == 2201
    variables = yaml.safe_load((lab.inventory / "group_vars/all.yml").read_text())
    assert variables["nodestrap_known_hosts_file"] == str(lab.known_hosts)
    assert variables["containerd_registry_mirrors"]["registry.k8s.io"] == ["http://10.213.0.1:5000"]


def test_an_unchanged_inventory_is_not_touched(lab: Lab) -> None:
    inventory.write(lab, "http://10.213.0.1:5000")
    before = (lab.inventory / "hosts.yml").stat().st_mtime_ns
    inventory.write(lab, "http://10.213.0.1:5000")
    assert (lab.inventory / "hosts.yml").stat().st_mtime_ns == before


def test_a_file_of_the_users_is_neither_overwritten_nor_removed(lab: Lab) -> None:
    lab.inventory.mkdir(parents=True)
    (lab.inventory / "hosts.yml").write_text("all: {}\n")
    with pytest.raises(UsageError, match=r"hosts\.yml was not written by the lab"):
        inventory.write(lab, "http://10.213.0.1:5000")
    inventory.remove(lab.inventory)
    assert (lab.inventory / "hosts.yml").read_text() == "all: {}\n"


def test_removing_leaves_no_directory(lab: Lab) -> None:
    inventory.write(lab, "http://10.213.0.1:5000")
    inventory.remove(lab.inventory)
    assert not lab.inventory.exists()
    inventory.remove(lab.inventory)
