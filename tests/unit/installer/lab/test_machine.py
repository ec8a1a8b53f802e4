"""What the lab reads off the machine: cgroup hierarchies, mounts, subnets, rules, missing tools."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from installer.errors import NodestrapError, UsageError
from installer.lab import cgroups, mounts, network, tools
from installer.lab.state import Lab

HYBRID = """\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
34 31 0:31 / /sys/fs/cgroup/cpuset rw,relatime shared:1 - cgroup cgroup rw,cpuset
35 31 0:31 / /mnt/again rw,relatime - cgroup cgroup rw,cpuset
36 31 0:32 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate
"""


def test_every_hierarchy_counts_once() -> None:
    found = {str(hierarchy.mount): hierarchy for hierarchy in cgroups.hierarchies(HYBRID)}
    assert sorted(Path(mount).name for mount in found) == ["cpu,cpuacct", "cpuset", "systemd", "unified"]
    assert found["/sys/fs/cgroup/cpu,cpuacct"].controllers == {"cpu", "cpuacct"}
    assert found["/sys/fs/cgroup/unified"].version == 2
    assert [name for name in found if found[name].managed_by_systemd] == [
        "/sys/fs/cgroup/systemd",
        "/sys/fs/cgroup/unified",
    ]


def test_a_new_cpuset_inherits_what_it_needs_to_take_processes(tmp_path: Path) -> None:
    child = tmp_path / "child"
    child.mkdir()
    for name, value in (("cpuset.cpus", "0-1\n"), ("cpuset.mems", "0\n")):
        (tmp_path / name).write_text(value)
        (child / name).write_text("\n")
    (child / "cpuset.mems").write_text("1\n")
    cgroups._inherit_cpuset(child)
    assert (child / "cpuset.cpus").read_text() == "0-1\n"
    assert (child / "cpuset.mems").read_text() == "1\n"


@given(st.text(alphabet=st.characters(codec="ascii", exclude_characters="\0")))
def test_mountinfo_escapes_are_undone(name: str) -> None:
    escaped = "".join(f"\\{ord(letter):03o}" if letter in " \t\n\\" else letter for letter in name)
    assert mounts.unescape(escaped) == name


def _routes(monkeypatch: pytest.MonkeyPatch, *destinations: str) -> None:
    routes = [{"dst": destination} for destination in destinations]
    monkeypatch.setattr(network, "run", lambda *argv: json.dumps(routes))


def test_the_first_subnet_nobody_uses_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    _routes(monkeypatch, "default", "10.213.0.0/25", "10.213.1.7")
    assert network.pick_subnet() == "10.213.2.0/24"
    assert network.pick_subnet(["10.213.2.0/23"]) == "10.213.4.0/24"


def test_a_machine_without_a_free_subnet_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    _routes(monkeypatch, "10.0.0.0/8")
    with pytest.raises(NodestrapError, match="in use"):
        network.pick_subnet()


def test_own_rules_are_recognised_in_what_iptables_prints(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    lab = Lab("x", "nspawn", "10.213.0.0/24", tmp_path, ())
    printed = {"nat": ["-P POSTROUTING ACCEPT"], "filter": ["-A FORWARD -i other -j ACCEPT"]}
    for rule in network._rules(lab):
        printed[rule[1]].append(
            " ".join(("-A", *rule[3:])).replace(f"nodestrap-lab:{lab.tag}", f'"nodestrap-lab:{lab.tag}"')
        )
    monkeypatch.setattr(network, "run", lambda *argv: "\n".join(printed[argv[3]]) + "\n")
    assert set(network._own_rules(lab.tag)) == set(network._rules(lab))
    assert network._own_rules("000000") == []


def test_every_missing_tool_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools.shutil, "which", lambda tool: None if tool != "ip" else "/sbin/ip")
    with pytest.raises(UsageError, match="no debootstrap, ssh, which") as caught:
        tools.require(["debootstrap", "ip", "ssh"])
    assert caught.value.fix == "apt-get install --no-install-recommends debootstrap openssh-client"


def test_a_failing_tool_is_quoted() -> None:
    with pytest.raises(NodestrapError, match=r"`sh -c echo oops >&2; exit 3` failed with 3: oops"):
        tools.run("sh", "-c", "echo oops >&2; exit 3")
    with pytest.raises(NodestrapError, match="took more than 0 s"):
        tools.run("sleep", "5", timeout=0.01)
