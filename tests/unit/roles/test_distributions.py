"""Each distribution's path through the roles as far as facts and templates go: check mode with its facts."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import tomllib
import yaml

from pycri.config import parse
from tests.support.ansible_play import ROOT, Play, play

ROLES = ROOT / "roles"
SUPPORTED = {
    # distribution, major version, family: Python for pycri, containerd's package, where CNI plugins are
    ("Debian", "12", "Debian"): ("3.11", "containerd", "/usr/lib/cni"),
    ("Debian", "13", "Debian"): ("3.13", "containerd", "/usr/lib/cni"),
    ("Ubuntu", "22", "Debian"): ("3.10", "containerd", "/usr/lib/cni"),
    ("Ubuntu", "24", "Debian"): ("3.12", "containerd", "/usr/lib/cni"),
    ("RedHat", "8", "RedHat"): ("3.11", "containerd.io", "/usr/libexec/cni"),
    ("Rocky", "9", "RedHat"): ("3.11", "containerd.io", "/usr/libexec/cni"),
    ("AlmaLinux", "10", "RedHat"): ("3.12", "containerd.io", "/usr/libexec/cni"),
    ("Fedora", "42", "RedHat"): ("", "containerd", "/usr/libexec/cni"),
}
PROBE = """
- hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - name: Facts
      ansible.builtin.set_fact:
        cacheable: true
        distribution: "{{ distribution }}"
        distribution_version: "{{ major }}"
        distribution_major_version: "{{ major }}"
        os_family: "{{ family }}"
        python: {executable: /usr/bin/python3}
        systemd: {version: 252}
    - name: Role
      ansible.builtin.include_role:
        name: "{{ role }}"
"""


def probe(role: str, distribution: tuple[str, str, str], workdir: Path, **variables: Any) -> Play:
    book = workdir / "probe.yml"
    book.write_text(PROBE)
    name, major, family = distribution
    facts = {"distribution": name, "major": major, "family": family, "role": role}
    facts["ansible_python_interpreter"] = sys.executable
    library = {
        f"ANSIBLE_{kind.upper()}": str(ROOT / "playbooks" / kind)
        for kind in ("library", "module_utils", "action_plugins")
    }
    return play(book, "localhost,", workdir, {**facts, **variables}, check=True, environment=library)


def content(done: Play, path: str) -> str:
    """What check mode says a file would hold."""
    for task in done.tasks:
        for diff in task.result.get("diff") or ():
            if isinstance(diff, Mapping) and diff.get("after_header") == path:
                return str(diff["after"])
    raise AssertionError(f"no diff of {path}: {done.output}")


def os_values(role: str, distribution: tuple[str, str, str]) -> dict[str, Any]:
    """The file that the role's lookup finds."""
    name, major, family = distribution
    for file in (f"{name}-{major}", name, f"{family}-{major}", family):
        path = ROLES / role / "files/os" / f"{file}.yml"
        if path.exists():
            values: dict[str, Any] = yaml.safe_load(path.read_text())
            return values
    raise AssertionError(f"{role} has no file for {distribution}")


@pytest.mark.parametrize("distribution", SUPPORTED, ids="-".join)
def test_every_role_has_the_distributions_names(distribution: tuple[str, str, str]) -> None:
    python, containerd, cni = SUPPORTED[distribution]
    assert os_values("pycri", distribution)["python"] == python
    assert os_values("containerd", distribution)["package"] == containerd
    assert os_values("cni_plugins", distribution)["directory"] == cni
    assert "socat" in os_values("os_prepare", distribution)["packages"]


@pytest.mark.parametrize("distribution", SUPPORTED, ids="-".join)
def test_os_prepare_asks_for_its_packages_and_settings(
    distribution: tuple[str, str, str], tmp_path: Path
) -> None:
    done = probe("os_prepare", distribution, tmp_path, os_prepare_sysctls={"vm.overcommit_memory": 1})
    assert done.code == 0, done.output + json.dumps([task.result for task in done.tasks])[-3000:]
    sysctls = content(done, "/etc/sysctl.d/99-zz-nodestrap.conf")
    assert "\nnet.ipv4.ip_forward = 1\n" in sysctls
    assert "\n-net.bridge.bridge-nf-call-iptables = 1\n" in sysctls
    assert "\nvm.overcommit_memory = 1\n" in sysctls
    assert content(done, "/etc/modules-load.d/nodestrap.conf").splitlines()[1:] == ["overlay", "br_netfilter"]
    assert content(done, "/etc/systemd/system/swap.target") == "link to /dev/null\n"


def test_an_unknown_distribution_is_named(tmp_path: Path) -> None:
    done = probe("os_prepare", ("Slackware", "15", "Slackware"), tmp_path)
    assert done.code != 0
    assert done.failure.startswith("Slackware 15 is not supported.")


ARTIFACT = {"path": "/nonexistent", "sha256": "0" * 64}
RELEASE = {**ARTIFACT, "version": "0.1.0", "python": "3.11", "release": "0.1.0-abc"}


def converged(done: Play) -> Play:
    assert done.code == 0, done.output + json.dumps([task.result for task in done.tasks])[-3000:]
    return done


@pytest.mark.parametrize(
    ("distribution", "version"),
    [(("Debian", "12", "Debian"), "1.6.20~ds1-1"), (("Fedora", "42", "RedHat"), "2.0.5-1.fc42")],
)
def test_containerd_of_the_distribution_gets_the_configuration_of_its_major_version(
    distribution: tuple[str, str, str], version: str, tmp_path: Path
) -> None:
    mirrors = {
        "docker.io": ["http://10.0.0.1:5000", "https://mirror.example"],
        "_default": ["http://10.0.0.1"],
    }
    done = converged(probe("containerd", distribution, tmp_path, containerd_registry_mirrors=mirrors))
    config = tomllib.loads(content(done, "/etc/containerd/config.toml"))
    assert config["version"] == (3 if version.startswith("2") else 2)
    assert "io.containerd.grpc.v1.cri" in config["disabled_plugins"]
    hosts = tomllib.loads(content(done, "/etc/containerd/certs.d/docker.io/hosts.toml"))
    assert hosts["server"] == "https://registry-1.docker.io"
    assert list(hosts["host"]) == mirrors["docker.io"]
    default = tomllib.loads(content(done, "/etc/containerd/certs.d/_default/hosts.toml"))
    assert list(default) == ["host"]
    unit = content(done, "/etc/systemd/system/containerd.service.d/10-nodestrap.conf")
    assert {"Delegate=yes", "KillMode=process"} <= set(unit.splitlines())


@pytest.mark.parametrize(("version", "format_version"), [("1.7.34", 2), ("2.1.9", 3), ("10.0.0", 3)])
def test_containerd_from_a_release_gets_a_unit_and_runc(
    version: str, format_version: int, tmp_path: Path
) -> None:
    done = converged(
        probe(
            "containerd",
            ("Rocky", "9", "RedHat"),
            tmp_path,
            artifact_source="upstream",
            containerd_artifact={**ARTIFACT, "version": version},
            runc_artifact={**ARTIFACT, "version": "1.3.6"},
        )
    )
    assert tomllib.loads(content(done, "/etc/containerd/config.toml"))["version"] == format_version
    unit = content(done, "/etc/systemd/system/containerd.service")
    assert "ExecStart=/usr/local/bin/containerd\n" in unit
    assert done.task("Packages").result["installed"] == []
    assert [item["item"]["dest"] for item in done.task("Release files").result["results"]] == [
        "/usr/local/bin",
        "/usr/local/sbin",
    ]


def test_a_newer_runc_beside_the_distributions_containerd(tmp_path: Path) -> None:
    runc = {**ARTIFACT, "version": "1.3.6"}
    facts = ("Debian", "12", "Debian")
    done = converged(probe("containerd", facts, tmp_path, runc_source="upstream", runc_artifact=runc))
    assert "runc" not in done.task("Packages").result["installed"]
    assert [item["item"]["receipt"] for item in done.task("Release files").result["results"]] == [
        "runc-release"
    ]


@pytest.mark.parametrize("source", ["distro", "upstream"])
def test_cni_plugins_and_the_bootstrap_network(source: str, tmp_path: Path) -> None:
    done = converged(
        probe(
            "cni_plugins",
            ("Ubuntu", "24", "Debian"),
            tmp_path,
            cni_plugins_source=source,
            cni_plugins_subnet="10.1.2.0/24",
            cni_plugins_artifact={**ARTIFACT, "version": "1.9.1"},
        )
    )
    network = json.loads(content(done, "/etc/cni/net.d/10-nodestrap.conflist"))
    assert [plugin["type"] for plugin in network["plugins"]] == ["bridge", "portmap"]
    assert network["plugins"][0]["ipam"]["ranges"] == [[{"subnet": "10.1.2.0/24"}]]


def test_no_bootstrap_network_where_another_one_comes(tmp_path: Path) -> None:
    facts = ("Debian", "12", "Debian")
    done = converged(probe("cni_plugins", facts, tmp_path, cni_plugins_network="none"))
    paths = done.task("Network configuration").result["paths"]
    assert not [path for path in paths if path.endswith(".conflist")]


def test_pycri_has_units_a_command_and_a_configuration_that_it_accepts(tmp_path: Path) -> None:
    done = converged(
        probe(
            "pycri",
            ("RedHat", "8", "RedHat"),
            tmp_path,
            pycri_artifact=RELEASE,
            pycri_cgroup_driver="systemd",
            pycri_log_level="debug",
        )
    )
    config = parse(content(done, "/etc/pycri/config.toml"))
    assert (config.cgroups.driver, config.log_level) == ("systemd", "debug")
    command = content(done, "/usr/local/bin/pycri")
    assert command.startswith("#!/usr/bin/python3.11 -IS\n")
    compile(command, "pycri", "exec")
    control = content(done, "/etc/systemd/system/pycri.service").splitlines()
    data = content(done, "/etc/systemd/system/pycri-io.service").splitlines()
    for unit in (control, data):
        assert {"Type=notify", "RuntimeDirectory=pycri", "RuntimeDirectoryPreserve=yes"} <= set(unit)
    assert {"KillMode=control-group", "Wants=containerd.service pycri-io.service"} <= set(control)
    assert "FileDescriptorStoreMax=8192" in data
    assert "FileDescriptorStorePreserve=yes" not in data  # systemd 252 does not know it
    assert (
        yaml.safe_load(content(done, "/etc/crictl.yaml"))["runtime-endpoint"]
        == "unix:///run/pycri/pycri.sock"
    )
    assert content(done, "/opt/pycri/current") == "link to 0.1.0-abc\n"


def test_an_archive_for_another_python_is_refused(tmp_path: Path) -> None:
    facts = ("Debian", "13", "Debian")
    done = probe("pycri", facts, tmp_path, pycri_artifact=RELEASE, pycri_python="3.13")
    assert done.code != 0
    assert "built for Python 3.11, but pycri_python is 3.13" in done.failure


@pytest.mark.parametrize(
    ("role", "variables"),
    [
        ("os_prepare", {"os_prepare_swap": "maybe"}),
        ("containerd", {"containerd_source": "upsteam"}),
        ("cni_plugins", {"cni_plugins_network": "flannel"}),
        ("pycri", {"pycri_artifact": {"path": "/x"}}),
    ],
)
def test_a_wrong_value_is_refused_before_anything_happens(
    role: str, variables: dict[str, Any], tmp_path: Path
) -> None:
    done = probe(role, ("Debian", "12", "Debian"), tmp_path, **variables)
    assert done.code != 0
    assert "Validation of arguments failed" in done.failure
    assert next(iter(variables)) in json.dumps(done.tasks[-1].result)


def test_every_default_is_documented_and_every_documented_default_holds() -> None:
    for role in ("os_prepare", "containerd", "cni_plugins", "pycri"):
        specs = yaml.safe_load((ROLES / role / "meta/argument_specs.yml").read_text())["argument_specs"]
        options = specs["main"]["options"]
        defaults = yaml.safe_load((ROLES / role / "defaults/main.yml").read_text())
        for name, value in defaults.items():
            assert name in options, f"{role}: {name} is not in argument_specs.yml"
            if "{{" not in str(value):
                assert options[name].get("default") == value, f"{role}: {name}"
