"""A host there and back: what ``plan`` foretells, ``up`` does, and ``reset`` takes away; on one lab host."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from installer.cluster.inventory import read_cluster
from installer.ssh.connection import connect
from installer.ssh.openssh import write_config
from installer.verify.client import CriClient
from installer.verify.ssh_host import over_ssh
from pycri._generated import cri_pb2
from tests.support.command import Nodestrap

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

LAB = "life"
# What somebody else has on the host, and must have afterwards: a file where nodestrap writes one, and a rule.
THEIRS = (
    "echo '# mine' > /etc/crictl.yaml; chmod 0640 /etc/crictl.yaml; "
    "iptables -N MINE; iptables -A INPUT -p tcp --dport 22 -j MINE; iptables -A MINE -j ACCEPT"
)
# Every file but those of a moment; content where somebody configures something; packages, units, network.
SNAPSHOT = r"""
find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /tmp \) -prune -o \
  \( -type d -printf 'path %p %y %m\n' \) -o -printf 'path %p %y %m %l %s\n' 2>/dev/null
find /var/lib/containerd /var/lib/kubelet /run/netns /run/containerd /run/pycri -printf 'path %p %y\n' \
  2>/dev/null
find /etc /usr/local -xdev -type f -exec sha256sum {} + | sed 's/^\(\S*\) */content /'
dpkg-query -W -f 'package ${Package} ${Version} ${db:Status-Status}\n'
systemctl list-unit-files --no-legend --no-pager | sed 's/^/unit-file /'
systemctl list-units --all --no-legend --no-pager --plain --type service,socket,timer --state active |
  sed 's/^/unit /'
ip -o link | sed 's/^[0-9]*: \([^:@]*\).*/link \1/'
iptables-save 2>/dev/null | grep -v '^#' | sed 's/\[[0-9:]*\]//; s/^/filter /'
sysctl -a 2>/dev/null | grep -E 'ip_forward|bridge-nf' | sed 's/^/sysctl /'
"""
# What `reset` reports as remaining: records of apt, dpkg, debconf. The linker's cache follows the libraries.
REMAINS = ("/var/lib/apt/", "/var/log/", "/var/lib/dpkg/status-old", "/etc/ld.so.cache")
REMAINS += (
    "/var/cache/apt/",
    "/var/cache/ldconfig/",
    "/var/cache/debconf/config.dat-old",
    "/var/cache/debconf/templates.dat-old",
)


@dataclass(frozen=True)
class Life:
    nodestrap: Nodestrap
    inventory: Path

    def __call__(self, *words: str, code: int = 0) -> dict[str, Any]:
        found: dict[str, Any] = self.nodestrap.json(
            words[0], "-i", str(self.inventory), *words[1:], code=code
        )
        return found

    def on(self, command: str) -> str:
        return self.nodestrap.on(LAB, "node1", command)

    def snapshot(self) -> set[str]:
        return set(self.on(SNAPSHOT).splitlines())


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    nodestrap = Nodestrap(tmp_path_factory.mktemp("life"))
    try:
        found = Life(nodestrap, nodestrap.lab_up(LAB, "--nodes", "1"))
        found.on(THEIRS)
        yield found
    finally:
        nodestrap.lab_down(LAB)


@dataclass(frozen=True)
class There:
    """The way there: a snapshot of the bare host, then plan, and up."""

    bare: set[str]
    after_plan: set[str]
    plan: dict[str, Any]
    up: dict[str, Any]
    provisioned: set[str]


@pytest.fixture(scope="module")
def there(life: Life) -> There:
    bare = life.snapshot()
    plan = life("plan", "--until", "runtime")
    after_plan = life.snapshot()
    up = life("up", "--until", "runtime")
    return There(bare, after_plan, plan, up, life.snapshot())


def changes(report: dict[str, Any]) -> set[tuple[str, ...]]:
    (host,) = report["hosts"]
    return {(change["kind"], change["name"], *change["actions"]) for change in host["changes"]}


def test_plan_changes_nothing_on_a_bare_host(there: There) -> None:
    assert there.after_plan == there.bare


def test_plan_and_up_name_the_same_changes(there: There) -> None:
    foretold, done = changes(there.plan), changes(there.up)
    print(f"plan and up: {len(foretold)} and {len(done)} changes")
    assert foretold == done
    assert {kind for kind, *_ in done} >= {"package", "file", "directory", "unit"}
    assert ("unit", "containerd.service", "enable", "start") in done
    assert ("file", "/etc/crictl.yaml", "change") in done  # not create: somebody's was there
    assert not any(change[0] == "task" for change in done), "a task changed something and did not say what"


def test_no_file_changed_unsaid(life: Life, there: There) -> None:
    """Each changed path is named, lies in a named tree, or is of a named package."""
    named = {name for kind, name, *_ in changes(there.up) if kind in ("file", "directory", "link")}
    trees = tuple(f"{name}/" for kind, name, *_ in changes(there.up) if kind in ("tree", "links"))
    changed = {line.split()[1] for line in there.bare ^ there.provisioned if line.startswith("path ")}
    inside = ("/etc/", "/opt/", "/usr/local/")
    unsaid = {
        path for path in changed - named if path.startswith(inside) and not f"{path}/".startswith(trees)
    }
    of_packages = life.on(f"dpkg -S {' '.join(sorted(unsaid))} 2>/dev/null || true")
    unsaid -= {line.rpartition(": ")[2] for line in of_packages.splitlines()}
    # What systemctl enable and packages' scripts write, and directories that containerd makes for itself.
    known = ("/etc/systemd/system/multi-user.target.wants/", "/etc/ld.so.cache", "/opt/containerd")
    known += ("/etc/apparmor.d/", "/etc/rcS.d/", "/etc/systemd/system/sysinit.target.wants/")
    assert {path for path in unsaid if not path.startswith(known)} == set()


def test_then_plan_has_nothing_to_say(life: Life, there: There) -> None:
    again = life("plan", "--until", "runtime")
    assert changes(again) == set()
    assert again["hosts"][0]["state"] == "ok"


def run_pod(life: Life) -> str:
    """Start a pod, which needs no image but the pause image that pycri brings; returns its id."""
    spec = read_cluster([str(life.inventory)])
    known_hosts = life.nodestrap.home / "known_hosts"
    config = write_config(life.nodestrap.home / "ssh_config", known_hosts, pin_bastions=True)
    (host,) = spec.hosts
    with (
        connect(host.name, host.connection, known_hosts, config) as connection,
        over_ssh(connection) as endpoint,
        closing(CriClient(endpoint.target)) as client,
    ):
        metadata = cri_pb2.PodSandboxMetadata(name="left", uid="u", namespace="default", attempt=0)
        port = cri_pb2.PortMapping(container_port=80, host_port=8099)
        wanted = cri_pb2.PodSandboxConfig(metadata=metadata, port_mappings=[port])
        answer = client.runtime.RunPodSandbox(cri_pb2.RunPodSandboxRequest(config=wanted))
    return str(answer.pod_sandbox_id)


@dataclass(frozen=True)
class Back:
    foretold: dict[str, Any]
    changed_meanwhile: set[str]
    report: dict[str, Any]
    after: set[str]


@pytest.fixture(scope="module")
def back(life: Life, there: There) -> Back:
    """A reset of a host with a pod on it, whose controller is killed half way, and then another one."""
    run_pod(life)
    before = life.snapshot()
    foretold = life("reset", "--check")
    running = ("/var/lib/pycri/", "/var/log/", "/var/lib/containerd/", "/run/")  # what the daemons write
    changed = {line for line in before ^ life.snapshot() if not line.split()[1].startswith(running)}
    argv = [sys.executable, "-m", "installer.cli", "reset", "-i", str(life.inventory), "--yes"]
    environment = {**os.environ, "XDG_STATE_HOME": str(life.nodestrap.home / "state")}
    killed = subprocess.Popen(
        argv, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    assert killed.stderr is not None
    for line in killed.stderr:
        if "Files are as they were" in line:
            break
    killed.send_signal(signal.SIGKILL)
    killed.stderr.close()
    killed.wait()
    return Back(foretold, changed, life("reset", "--yes"), life.snapshot())


def test_reset_asks_first(life: Life, there: There) -> None:
    refused = life("reset", code=2)
    assert "--yes" in refused["fix"]


def test_reset_foretells_and_changes_nothing(back: Back) -> None:
    foretold = changes(back.foretold)
    assert back.changed_meanwhile == set()
    assert ("pod", "default/left", "remove") in foretold
    assert ("package", "containerd", "remove") in foretold
    assert ("file", "/etc/crictl.yaml", "restore") in foretold
    assert ("unit", "pycri.service", "stop", "disable") in foretold


def test_after_reset_the_host_is_what_it_was_but_for_what_is_reported(back: Back, there: There) -> None:
    different = {
        line
        for line in there.bare ^ back.after
        if not (line.startswith(("path ", "content ")) and line.split()[1].startswith(REMAINS))
        and not re.fullmatch(r"filter (\*nat|:\w+ ACCEPT|COMMIT) *", line)  # an empty table
    }
    print(f"differs after reset: {sorted({line.split()[1] for line in there.bare ^ back.after})}")
    assert different == set()
    (host,) = back.report["hosts"]
    remaining = {each["name"]: each["reason"] for each in host["remaining"]}
    assert "/var/cache/debconf/*-old" in remaining["records of apt and dpkg"]
    assert remaining.keys() - {"ip6tables table nat"} == {"iptables table nat", "records of apt and dpkg"}


def test_what_is_not_nodestraps_is_as_it_was(life: Life, back: Back) -> None:
    assert life.on("cat /etc/crictl.yaml; stat -c %a /etc/crictl.yaml") == "# mine\n640\n"
    assert "-A INPUT -p tcp -m tcp --dport 22 -j MINE" in life.on("iptables-save")


def test_then_up_works_again(life: Life, back: Back) -> None:
    again = life("up", "--until", "runtime")
    assert again["hosts"][0]["state"] == "changed"
    life.on("systemctl is-active containerd pycri pycri-io")
