"""``nodestrap up`` and ``verify`` on bare lab hosts, on good days and on bad ones."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.command import Nodestrap

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

LAB = "light"
HOSTS = ["node1", "node2", "node3"]
CONFLIST = "/etc/cni/net.d/00-broken.conflist"


@dataclass(frozen=True)
class Light:
    """Three lab hosts and the command that works on them."""

    nodestrap: Nodestrap
    inventory: Path

    def up(self, *words: str, inventory: Path | None = None, code: int = 0) -> dict[str, Any]:
        source = str(inventory or self.inventory)
        found: dict[str, Any] = self.nodestrap.json(
            "up", "-i", source, "--until", "runtime", *words, code=code
        )
        return found

    def verify(self, *words: str, code: int = 0) -> Any:
        return self.nodestrap.json("verify", "-i", str(self.inventory), *words, code=code)

    def on(self, host: str, command: str) -> str:
        return self.nodestrap.on(LAB, host, command)

    def variant(self, name: str, change: Any) -> Path:
        """A copy of the inventory beside it, its hosts file changed by ``change(hosts)``."""
        copy = self.inventory.parent / name
        shutil.copytree(self.inventory, copy, dirs_exist_ok=True)
        hosts = yaml.safe_load((copy / "hosts.yml").read_text())
        change(hosts["nodes"]["children"])
        (copy / "hosts.yml").write_text(yaml.safe_dump(hosts))
        return copy


@pytest.fixture(scope="module")
def light(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Light]:
    nodestrap = Nodestrap(tmp_path_factory.mktemp("light"))
    try:
        yield Light(nodestrap, nodestrap.lab_up(LAB, "--nodes", "3"))
    finally:
        nodestrap.lab_down(LAB)


@pytest.fixture(scope="module")
def foretold(light: Light) -> dict[str, Any]:
    """Check mode, on hosts that are still bare."""
    return light.up("--check")


@pytest.fixture(scope="module")
def first(light: Light, foretold: dict[str, Any]) -> dict[str, Any]:
    """The run that does the work, with a fourth host that is not there."""

    def add_dead_host(groups: Any) -> None:
        somebody = dict(groups["workers"]["hosts"]["node2"])
        somebody["ansible_host"] = somebody["ansible_host"].rpartition(".")[0] + ".250"
        groups["workers"]["hosts"]["dead1"] = somebody

    return light.up(inventory=light.variant("with-a-dead-host", add_dead_host), code=3)


def states(report: dict[str, Any]) -> dict[str, str]:
    return {host["host"]: host["state"] for host in report["hosts"]}


def test_check_mode_on_bare_hosts_tells_the_changes_and_makes_none(
    light: Light, foretold: dict[str, Any]
) -> None:
    assert states(foretold) == dict.fromkeys(HOSTS, "changed")
    assert light.on("node1", "ls /etc/pycri /etc/containerd /opt/cni 2>/dev/null || true") == ""


def test_a_dead_host_is_named_and_the_others_go_on(first: dict[str, Any]) -> None:
    assert states(first) == {**dict.fromkeys(HOSTS, "changed"), "dead1": "unreachable"}
    (dead,) = [host for host in first["hosts"] if host["host"] == "dead1"]
    assert dead["step"] == "connect"
    assert dead["reason"]
    assert dead["fix"]


def test_the_second_run_changes_nothing(light: Light, first: dict[str, Any]) -> None:
    report = light.up()
    assert states(report) == dict.fromkeys(HOSTS, "ok")
    assert sum(host["changed"] for host in report["hosts"]) == 0
    print(f"second up of three hosts: {report['seconds']} s {report['phases']}")


def test_a_deleted_file_comes_back(light: Light, first: dict[str, Any]) -> None:
    light.on("node2", "rm /etc/pycri/config.toml")
    report = light.up()
    assert states(report) == {"node1": "ok", "node2": "changed", "node3": "ok"}
    light.on("node2", "test -s /etc/pycri/config.toml")


def test_every_host_verifies(light: Light, first: dict[str, Any]) -> None:
    # The endpoints' results are told apart by host; the exit code already says that nothing failed.
    text = light.nodestrap("verify", "-i", str(light.inventory)).stdout
    for host in HOSTS:
        assert f"{host}: unix:///run/pycri/pycri.sock" in text


def test_a_stopped_containerd_is_told_and_recovered_from(light: Light, first: dict[str, Any]) -> None:
    light.on("node1", "systemctl stop containerd")
    try:
        failed = light.nodestrap(
            "verify", "-i", str(light.inventory), "--limit", "node1", "--tier", "0", code=7
        )
        assert "containerd" in failed.stdout + failed.stderr
    finally:
        light.on("node1", "systemctl start containerd")
    # it is found again within a second, without a restart
    ready = 'import json, sys; sys.exit(not json.load(sys.stdin)["status"]["conditions"][0]["status"])'
    wait = f"until crictl info | python3 -c '{ready}'; do sleep 0.1; done"
    light.on("node1", f"timeout 5 sh -c {shlex.quote(wait)}")
    light.nodestrap("verify", "-i", str(light.inventory), "--limit", "node1")


def test_a_malformed_conflist_is_told_with_its_file(light: Light, first: dict[str, Any]) -> None:
    light.on("node2", f"echo '{{\"name\": ' > {CONFLIST}")
    try:
        failed = light.nodestrap(
            "verify", "-i", str(light.inventory), "--limit", "node2", "--tier", "0", code=7
        )
        assert CONFLIST in failed.stdout + failed.stderr
    finally:
        light.on("node2", f"rm {CONFLIST}")
    light.nodestrap("verify", "-i", str(light.inventory), "--limit", "node2", "--tier", "0")


def test_a_misspelt_variable_is_refused_with_a_suggestion(light: Light) -> None:
    def misspell(groups: Any) -> None:
        groups["workers"]["vars"] = {"containerd_sorce": "distro"}

    wrong = light.variant("misspelt", misspell)
    done = light.nodestrap("up", "-i", str(wrong), "--until", "runtime", code=2)
    assert "containerd_sorce" in done.stderr
    assert "containerd_source" in done.stderr


def test_a_wrong_ssh_key_is_refused_by_name(light: Light, tmp_path: Path) -> None:
    key = tmp_path / "other"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)

    def swap(groups: Any) -> None:
        groups["workers"]["hosts"]["node3"]["ansible_ssh_private_key_file"] = str(key)

    report = light.up(inventory=light.variant("wrong-key", swap), code=3)
    assert states(report)["node3"] == "unreachable"
    (refused,) = [host for host in report["hosts"] if host["host"] == "node3"]
    assert "key" in refused["reason"]


def test_a_changed_host_key_is_refused(light: Light, first: dict[str, Any]) -> None:
    saved = "/etc/ssh/saved"
    light.on("node3", f"mkdir -p {saved} && cp -p /etc/ssh/ssh_host_* {saved}/")
    light.on("node3", "rm /etc/ssh/ssh_host_* && ssh-keygen -A >/dev/null && systemctl reload ssh")
    try:
        report = light.up(code=3)
    finally:
        namespace = light.nodestrap.home / "state/nodestrap/labs" / LAB
        key = next(namespace.glob("id_*[!b]"))
        address = yaml.safe_load((light.inventory / "hosts.yml").read_text())
        address = address["nodes"]["children"]["workers"]["hosts"]["node3"]["ansible_host"]
        # the lab's own ssh refuses the new key as well, and rightly
        argv = ["ssh", "-F", "/dev/null", "-i", str(key), "-o", "StrictHostKeyChecking=no"]
        argv += ["-o", "UserKnownHostsFile=/dev/null", f"root@{address}"]
        restore = f"cp -p {saved}/* /etc/ssh/ && rm -r {saved} && systemctl reload ssh"
        subprocess.run([*argv, restore], check=True, capture_output=True)
    (refused,) = [host for host in report["hosts"] if host["host"] == "node3"]
    assert refused["state"] == "unreachable"
    assert "host key" in refused["reason"].lower()
    assert "known_hosts" in refused["reason"] + refused["fix"]
    assert states(light.up())["node3"] == "ok"


def test_a_port_in_use_is_a_preflight_failure(light: Light) -> None:
    listen = (
        "systemd-run --quiet --unit=port-thief python3 -c "
        "'import socket,time; s=socket.create_server((\"\", 10250)); time.sleep(600)'"
    )
    light.on("node2", listen)
    try:
        light.on("node2", "until ss -ltn | grep -q :10250; do sleep 0.1; done")
        done = light.nodestrap("preflight", "-i", str(light.inventory), code=4)
    finally:
        light.on("node2", "systemctl stop port-thief")
    assert "10250" in done.stdout + done.stderr
    assert "node2" in done.stdout + done.stderr
