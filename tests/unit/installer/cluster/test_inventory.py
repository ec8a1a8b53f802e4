"""Inventories of every kind, read by Ansible itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from installer.cluster.inventory import read_cluster
from installer.errors import InventoryError

_INI = """\
[control_plane]
node1 ansible_host=10.0.0.1
[workers]
node2 ansible_host="{{ prefix }}.2" prefix=10.0.0
[nodes:children]
control_plane
workers
[all:vars]
nodestrap_local_variables=["prefix"]
ansible_user=admin
"""
_YAML = """\
nodes:
  children:
    control_plane: {hosts: {node1: {ansible_host: 10.0.0.1}}}
    workers: {hosts: {node2: {ansible_host: 10.0.0.2}}}
  vars: {ansible_user: admin}
"""
_SCRIPT = """\
#!/bin/sh
echo '{"control_plane": {"hosts": ["node1"]}, "workers": {"hosts": ["node2"]},
"nodes": {"children": ["control_plane", "workers"]},
"_meta": {"hostvars": {"node1": {"ansible_host": "10.0.0.1", "ansible_user": "admin"},
"node2": {"ansible_host": "10.0.0.2", "ansible_user": "admin"}}}}'
"""


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def _write(path: Path, text: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    if text.startswith("#!"):
        path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(("name", "text"), [("hosts.ini", _INI), ("hosts.yml", _YAML), ("hosts.sh", _SCRIPT)])
def test_every_kind_of_inventory(tmp_path: Path, name: str, text: str) -> None:
    spec = read_cluster([_write(tmp_path / name, text)])
    assert {host.name: host.connection.address for host in spec.hosts} == {
        "node1": "10.0.0.1",
        "node2": "10.0.0.2",
    }
    assert [host.is_control_plane for host in spec.hosts] == [True, False]
    assert {host.connection.user for host in spec.hosts} == {"admin"}


def test_the_users_own_ansible_configuration_stays_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write(tmp_path / "ansible.cfg", "[inventory]\nenable_plugins = no_such_plugin\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANSIBLE_INVENTORY_ENABLED", "no_such_plugin")
    assert len(read_cluster([_write(tmp_path / "hosts.yml", _YAML)]).hosts) == 2


def test_group_vars_host_vars_and_vault(tmp_path: Path) -> None:
    password = _write(tmp_path / "vault-password", "open sesame")
    encrypted = subprocess.run(
        [
            Path(sys.executable).parent / "ansible-vault",
            *("encrypt_string", "--vault-password-file", password),
            *("correct horse", "--name", "ansible_become_password"),
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    _write(tmp_path / "group_vars" / "workers.yml", encrypted)
    _write(tmp_path / "host_vars" / "node1.yml", "ansible_port: 2222\n")
    source = _write(tmp_path / "hosts.yml", _YAML)
    spec = read_cluster([source], vault_password_files=[password])
    assert spec.host("node1").connection.port == 2222
    assert spec.host("node2").connection.become_password == "correct horse"
    assert "correct horse" in spec.secrets
    assert "correct horse" not in repr(spec)
    with pytest.raises(InventoryError, match=r"[Vv]ault"):
        read_cluster([source])


def test_passwords_asked_for_yield_to_the_inventory(tmp_path: Path) -> None:
    _write(tmp_path / "host_vars" / "node1.yml", "ansible_password: from-inventory\n")
    spec = read_cluster([_write(tmp_path / "hosts.yml", _YAML)], passwords={"ansible_password": "typed"})
    assert spec.host("node1").connection.password == "from-inventory"
    assert spec.host("node2").connection.password == "typed"
    assert {"typed", "from-inventory"} <= spec.secrets


def test_limit_selects_and_the_rest_is_named(tmp_path: Path) -> None:
    source = _write(tmp_path / "hosts.yml", _YAML)
    spec = read_cluster([source], limit="workers")
    assert [host.name for host in spec.hosts] == ["node2"]
    assert spec.excluded == ("node1",)
    with pytest.raises(InventoryError, match="'node3' matches no host"):
        read_cluster([source], limit="node3")


def test_hosts_outside_the_groups_are_named(tmp_path: Path) -> None:
    spec = read_cluster([_write(tmp_path / "hosts.ini", _INI.replace("[control", "stray\n[control", 1))])
    assert spec.unmatched == ("stray",)


def test_all_mistakes_in_one_message(tmp_path: Path) -> None:
    text = _INI.replace("[workers]", "[wrokers]").replace("\nworkers\n", "\nwrokers\n")
    _write(tmp_path / "group_vars" / "contol_plane.yml", "artifact_source: distro\n")
    text = text.replace(
        "node1 ansible_host", "node1 containerd_sorce=distro cni_plugins_source=distor ansible_host"
    )
    with pytest.raises(InventoryError) as error:
        read_cluster([_write(tmp_path / "hosts.ini", text)])
    said = str(error.value)
    assert error.value.exit_code == 2
    assert "4 mistakes" in said
    assert "unknown group 'wrokers'. Did you mean 'workers'?" in said
    assert "unknown variable 'containerd_sorce'. Did you mean 'containerd_source'" in said
    assert "(host node1)" in said
    assert "contol_plane.yml belongs to no group. Did you mean 'control_plane'" in said
    assert "cni_plugins_source must be one of" in said


def test_own_groups_are_declared(tmp_path: Path) -> None:
    text = _INI + "[rack1]\nnode1\n"
    with pytest.raises(InventoryError, match="unknown group 'rack1'"):
        read_cluster([_write(tmp_path / "hosts.ini", text)])
    declared = text.replace("ansible_user=admin", 'ansible_user=admin\nnodestrap_local_groups=["rack1"]')
    assert len(read_cluster([_write(tmp_path / "hosts.ini", declared)]).hosts) == 2


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ("ansible_port=70000", "not a port number"),
        ("ansible_connection=local", "reaches hosts over ssh only"),
        ("ansible_become_method=su", "knows sudo"),
        ('ansible_host="{{ nothing_known }}"', "ansible_host cannot be resolved"),
    ],
)
def test_connection_variables_that_cannot_be(tmp_path: Path, variables: str, said: str) -> None:
    with pytest.raises(InventoryError, match=said):
        read_cluster([_write(tmp_path / "hosts.ini", f"[workers]\nnode1 {variables}\n")])


def test_cluster_wide_setting_that_differs(tmp_path: Path) -> None:
    _write(tmp_path / "host_vars" / "node1.yml", "nodestrap_cluster_name: other\n")
    with pytest.raises(InventoryError, match="nodestrap_cluster_name differs"):
        read_cluster([_write(tmp_path / "hosts.yml", _YAML)])


def test_broken_and_missing_inventories(tmp_path: Path) -> None:
    with pytest.raises(InventoryError, match="there is no inventory"):
        read_cluster([str(tmp_path / "absent")])
    with pytest.raises(InventoryError, match="Ansible cannot read the inventory"):
        read_cluster([_write(tmp_path / "hosts.yml", "nodes: [")])
    with pytest.raises(InventoryError, match="no hosts"):
        read_cluster([_write(tmp_path / "empty.ini", "[workers]\n")])


def test_names_and_paths(tmp_path: Path) -> None:
    source = _write(tmp_path / "lab" / "hosts.yml", _YAML)
    spec = read_cluster([source])
    assert spec.name.startswith("lab-")
    assert spec.known_hosts_file == tmp_path / "state" / "nodestrap" / "clusters" / spec.name / "known_hosts"
    _write(
        tmp_path / "lab" / "group_vars" / "all.yml",
        "nodestrap_cluster_name: prod\nnodestrap_known_hosts_file: /k\n",
    )
    spec = read_cluster([source])
    assert (spec.name, str(spec.known_hosts_file)) == ("prod", "/k")
