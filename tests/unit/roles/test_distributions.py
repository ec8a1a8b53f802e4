"""Each distribution's path through the roles as far as facts and templates go: check mode with its facts.

One run of Ansible plays all cases, each as a host of its own with the facts of its distribution. The expected
content is read from what check mode says it would write.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import tomllib
import yaml

from pycri.config import Metrics, Runtime, parse
from tests.support.ansible_play import ROOT, Play, play

ROLES = ROOT / "roles"
ALL = ["os_prepare", "containerd", "cni_plugins", "pycri"]
DEBIAN_12 = ("Debian", "12", "Debian")
DEBIAN_13 = ("Debian", "13", "Debian")
UBUNTU_24 = ("Ubuntu", "24", "Debian")
RHEL_8 = ("RedHat", "8", "RedHat")
ROCKY_9 = ("Rocky", "9", "RedHat")
FEDORA = ("Fedora", "42", "RedHat")
SUPPORTED = {
    # distribution, major version, family: Python for pycri, containerd's package, where CNI plugins are
    DEBIAN_12: ("3.11", "containerd", "/usr/lib/cni"),
    DEBIAN_13: ("3.13", "containerd", "/usr/lib/cni"),
    ("Ubuntu", "22", "Debian"): ("3.10", "containerd", "/usr/lib/cni"),
    UBUNTU_24: ("3.12", "containerd", "/usr/lib/cni"),
    RHEL_8: ("3.11", "containerd.io", "/usr/libexec/cni"),
    ROCKY_9: ("3.11", "containerd.io", "/usr/libexec/cni"),
    ("AlmaLinux", "10", "RedHat"): ("3.12", "containerd.io", "/usr/libexec/cni"),
    FEDORA: ("", "containerd", "/usr/libexec/cni"),
}
ARTIFACT = {"path": "{{ archive_of_case }}", "sha256": "0" * 64}
RELEASE = {**ARTIFACT, "version": "0.1.0", "python": "3.11", "release": "0.1.0-abc"}
AUTHORITY = Path(__file__)  # any text will do where only its way is followed
MIRRORS = {"docker.io": ["http://10.0.0.1:5000", "https://mirror.example"], "_default": ["http://10.0.0.1"]}

# Name: distribution, roles, variables.
CASES: dict[str, tuple[tuple[str, str, str], list[str], dict[str, Any]]] = {
    "debian-12": (
        DEBIAN_12,
        ALL,
        {
            "containerd_registry_mirrors": MIRRORS,
            "containerd_registry_ca": {"mirror.example": str(AUTHORITY), "own.example:5000": str(AUTHORITY)},
            "pycri_artifact": RELEASE,
            "pycri_proxy": {"https": "http://proxy.example:3128", "no": "10.0.0.0/8,.example"},
        },
    ),
    "fedora": (
        FEDORA,
        ["os_prepare", "containerd"],
        {"os_prepare_swap": "keep", "os_prepare_sysctls": {"vm.overcommit_memory": 1}},
    ),
    "rocky-9-upstream": (
        ROCKY_9,
        ["os_prepare", "containerd", "cni_plugins"],
        {
            "artifact_source": "upstream",
            "containerd_artifact": {**ARTIFACT, "version": "2.1.9"},
            "runc_artifact": {**ARTIFACT, "version": "1.3.6"},
            "cni_plugins_artifact": {**ARTIFACT, "version": "1.9.1"},
            "cni_plugins_subnet": "10.1.2.0/24",
        },
    ),
    "rhel-8-pycri": (
        RHEL_8,
        ["pycri"],
        {
            "pycri_artifact": RELEASE,
            "pycri_cgroup_driver": "systemd",
            "pycri_log_level": "debug",
            "pycri_config": {
                "enable_checkpoint": True,
                "metrics": {"enabled": True, "port": 9100},
                "cni": {"bin_dirs": ["/a", "/b"], "gc": True},
                "runtimes": {"runc": {}, "kata-fc": {"type": "io.containerd.kata.v2", "config_path": '/k"x'}},
            },
        },
    ),
    "old-release": (
        UBUNTU_24,
        ["containerd"],
        {
            "containerd_source": "upstream",
            "containerd_artifact": {**ARTIFACT, "version": "1.7.34"},
            "containerd_runc_source": "distro",
        },
    ),
    "newer-runc": (
        DEBIAN_13,
        ["containerd"],
        {"containerd_runc_source": "upstream", "runc_artifact": {**ARTIFACT, "version": "1.3.6"}},
    ),
    "no-network": (UBUNTU_24, ["cni_plugins"], {"cni_plugins_network": "none"}),
    "unknown-distribution": (("Slackware", "15", "Slackware"), ["os_prepare"], {}),
    "other-python": (DEBIAN_13, ["pycri"], {"pycri_artifact": RELEASE, "pycri_python": "3.13"}),
    "wrong-swap": (DEBIAN_12, ["os_prepare"], {"os_prepare_swap": "maybe"}),
    "wrong-source": (DEBIAN_12, ["containerd"], {"containerd_source": "upsteam"}),
    "wrong-network": (DEBIAN_12, ["cni_plugins"], {"cni_plugins_network": "flannel"}),
    "half-an-artifact": (DEBIAN_12, ["pycri"], {"pycri_artifact": {"path": "/x", "python": "3.11"}}),
}
FAILING = {name for name in CASES if name.startswith(("unknown", "other", "wrong", "half"))}
BOOK = """
- hosts: all
  connection: local
  gather_facts: false
  tasks:
    - name: Facts
      ansible.builtin.set_fact:
        cacheable: true
        distribution: "{{ facts_of_case.0 }}"
        distribution_version: "{{ facts_of_case.1 }}"
        distribution_major_version: "{{ facts_of_case.1 }}"
        os_family: "{{ facts_of_case.2 }}"
        python: {executable: /usr/bin/python3}
        systemd: {version: 252}
    - name: Role
      ansible.builtin.include_role:
        name: "{{ role_of_case }}"
      loop: "{{ roles_of_case }}"
      loop_control:
        loop_var: role_of_case
"""


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Play:
    workdir = tmp_path_factory.mktemp("distributions")
    (workdir / "book.yml").write_text(BOOK)
    hosts = {
        name: {"facts_of_case": list(facts), "roles_of_case": roles, **variables}
        for name, (facts, roles, variables) in CASES.items()
    }
    with tarfile.open(workdir / "release.tar.gz", "w:gz"):
        pass
    inventory = workdir / "hosts.yml"
    inventory.write_text(yaml.safe_dump({"all": {"hosts": hosts}}))
    plugins = ("library", "module_utils", "action_plugins")
    environment = {f"ANSIBLE_{kind.upper()}": str(ROOT / "playbooks" / kind) for kind in plugins}
    # strategy free: a case that has failed, or has little to do, waits for no other
    environment |= {"ANSIBLE_FORKS": "4", "ANSIBLE_STRATEGY": "free"}
    # no case depends on the package lists of the machine that this runs on, nor fetches any
    apt = workdir / "bin/apt-get"
    apt.parent.mkdir()
    apt.write_text("#!/bin/sh\nexit 100\n")
    apt.chmod(0o755)
    environment["PATH"] = f"{apt.parent}:{os.environ['PATH']}"
    variables = {
        "ansible_python_interpreter": sys.executable,
        "archive_of_case": str(workdir / "release.tar.gz"),
    }
    return play(workdir / "book.yml", inventory, workdir, variables, check=True, environment=environment)


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


@pytest.mark.parametrize("case", sorted(set(CASES) - FAILING))
def test_check_mode_goes_through(case: str, played: Play) -> None:
    done = played.of(case)
    assert done.tasks, played.output
    assert not done.failed, done.failure


def test_kernel_settings(played: Play) -> None:
    debian, fedora = played.of("debian-12"), played.of("fedora")
    sysctls = content(fedora, "/etc/sysctl.d/99-zz-nodestrap.conf")
    assert "\nnet.ipv4.ip_forward = 1\n" in sysctls
    assert "\n-net.bridge.bridge-nf-call-iptables = 1\n" in sysctls
    assert "\nvm.overcommit_memory = 1\n" in sysctls
    modules = content(debian, "/etc/modules-load.d/nodestrap.conf")
    assert modules.splitlines()[1:] == ["overlay", "br_netfilter"]
    assert content(debian, "/etc/systemd/system/swap.target") == "link to /dev/null\n"
    kept = fedora.task("Kernel settings for every boot").result["paths"]
    assert "/etc/systemd/system/swap.target" not in kept


@pytest.mark.parametrize(("case", "version"), [("debian-12", 2), ("old-release", 2), ("rocky-9-upstream", 3)])
def test_containerd_gets_the_configuration_of_its_major_version(
    case: str, version: int, played: Play
) -> None:
    done = played.of(case)
    config = tomllib.loads(content(done, "/etc/containerd/config.toml"))
    assert config["version"] == version
    assert "io.containerd.grpc.v1.cri" in config["disabled_plugins"]
    unit = content(done, "/etc/systemd/system/containerd.service.d/10-nodestrap.conf")
    assert {"Delegate=yes", "KillMode=process"} <= set(unit.splitlines())


def test_registry_mirrors(played: Play) -> None:
    done = played.of("debian-12")
    hosts = tomllib.loads(content(done, "/etc/containerd/certs.d/docker.io/hosts.toml"))
    assert hosts["server"] == "https://registry-1.docker.io"
    assert list(hosts["host"]) == MIRRORS["docker.io"]
    authority = "/etc/containerd/certs.d/docker.io/ca-mirror.example.pem"
    assert hosts["host"]["https://mirror.example"]["ca"] == authority
    assert "ca" not in hosts["host"]["http://10.0.0.1:5000"]
    assert content(done, authority).strip() == AUTHORITY.read_text().strip()
    own = tomllib.loads(content(done, "/etc/containerd/certs.d/own.example:5000/hosts.toml"))
    assert own["server"] == "https://own.example:5000"
    assert own["ca"] == "/etc/containerd/certs.d/own.example:5000/ca-own.example_5000.pem"
    default = tomllib.loads(content(done, "/etc/containerd/certs.d/_default/hosts.toml"))
    assert list(default) == ["host"]


def test_images_come_through_the_proxy(played: Play) -> None:
    unit = content(played.of("debian-12"), "/etc/systemd/system/pycri.service")
    assert 'Environment="HTTPS_PROXY=http://proxy.example:3128"' in unit
    assert 'Environment="NO_PROXY=10.0.0.0/8,.example"' in unit
    assert "HTTP_PROXY" not in unit.replace("HTTPS_PROXY", "")


def test_containerd_from_a_release_gets_a_unit_and_runc(played: Play) -> None:
    done = played.of("rocky-9-upstream")
    unit = content(done, "/etc/systemd/system/containerd.service")
    assert "ExecStart=/usr/local/bin/containerd\n" in unit
    releases = done.task("containerd : Release files").result
    assert releases["lacking"] == ["containerd-release", "runc-release"]
    assert releases["paths"] == ["/usr/local/bin", "/usr/local/sbin"]


def test_a_newer_runc_beside_the_distributions_containerd(played: Play) -> None:
    done = played.of("newer-runc")
    assert "runc" not in done.task("Packages").result["installed"]
    assert done.task("containerd : Release files").result["lacking"] == ["runc-release"]


@pytest.mark.parametrize(
    ("case", "subnet"), [("debian-12", "10.85.0.0/16"), ("rocky-9-upstream", "10.1.2.0/24")]
)
def test_the_bootstrap_network(case: str, subnet: str, played: Play) -> None:
    network = json.loads(content(played.of(case), "/etc/cni/net.d/10-nodestrap.conflist"))
    assert [plugin["type"] for plugin in network["plugins"]] == ["bridge", "portmap"]
    assert network["plugins"][0]["ipam"]["ranges"] == [[{"subnet": subnet}]]


def test_no_bootstrap_network_where_another_one_comes(played: Play) -> None:
    paths = played.of("no-network").task("Directories, links and first network").result["paths"]
    assert not [path for path in paths if path.endswith(".conflist")]


def test_pycri_has_units_a_command_and_a_configuration_that_it_accepts(played: Play) -> None:
    done = played.of("rhel-8-pycri")
    config = parse(content(done, "/etc/pycri/config.toml"))
    assert (config.cgroups.driver, config.log_level) == ("systemd", "debug")
    assert (config.enable_checkpoint, config.metrics, config.cni.gc) == (True, Metrics(True, port=9100), True)
    assert config.cni.bin_dirs == ("/a", "/b")
    kata = Runtime(type="io.containerd.kata.v2", config_path='/k"x')
    assert config.runtimes == {"runc": Runtime(), "kata-fc": kata}
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
    crictl = yaml.safe_load(content(done, "/etc/crictl.yaml"))
    assert crictl["runtime-endpoint"] == "unix:///run/pycri/pycri.sock"
    assert content(done, "/opt/pycri/current") == "link to 0.1.0-abc\n"
    if shutil.which("crictl") is None:  # check mode looks at the machine that it runs on
        assert content(done, "/usr/local/bin/crictl") == "link to pycri\n"


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("unknown-distribution", "Slackware 15 is not supported."),
        ("other-python", "built for Python 3.11, but pycri_python is 3.13"),
        ("wrong-swap", "os_prepare_swap"),
        ("wrong-source", "containerd_source"),
        ("wrong-network", "cni_plugins_network"),
        ("half-an-artifact", "missing required arguments"),
    ],
)
def test_a_wrong_value_is_refused_before_anything_happens(case: str, message: str, played: Play) -> None:
    done = played.of(case)
    assert message in json.dumps(done.tasks[-1].result)
    assert done.failed
    assert done.changed == []


def test_every_default_is_documented_and_every_documented_default_holds() -> None:
    for role in ALL:
        specs = yaml.safe_load((ROLES / role / "meta/argument_specs.yml").read_text())["argument_specs"]
        options = specs["main"]["options"]
        defaults = yaml.safe_load((ROLES / role / "defaults/main.yml").read_text())
        for name, value in defaults.items():
            assert name in options, f"{role}: {name} is not in argument_specs.yml"
            if "{{" not in str(value):
                assert options[name].get("default") == value, f"{role}: {name}"
