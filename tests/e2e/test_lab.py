"""The lab on a real machine: hosts in seconds, bare, apart from each other, and gone without a trace."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from installer.lab import cgroups, mounts, processes, state
from installer.lab.standard_images import PAUSE

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.e2e

# What `nodestrap up` is there to install. None of it may be on a host before.
PROVISIONED = (
    "containerd",
    "runc",
    "containernetworking-plugins",
    "cri-tools",
    "kubelet",
    "kubeadm",
    "kubectl",
)


@dataclass(frozen=True)
class LabCommand:
    """`nodestrap lab` with a state directory of its own; the root file system cache is the user's."""

    home: Path

    def __call__(self, *words: str, code: int = 0, timeout: float = 240) -> str:
        done = subprocess.run(
            self.argv(*words),
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def argv(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "installer.cli", "lab", *words]

    def up(self, name: str, *words: str) -> str:
        return self("up", "--name", name, "--inventory", str(self.home / "inventories" / name), *words)

    def listed(self, name: str, *words: str) -> dict[str, Any]:
        labs = json.loads(self("list", "--json", *words))
        return next(lab for lab in labs if lab["name"] == name)

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "XDG_STATE_HOME": str(self.home / "state")}

    def directory(self, name: str) -> Path:
        return self.home / "state" / "nodestrap" / "labs" / name

    def traces(self, name: str) -> dict[str, list[str]]:
        """All that the lab called `name` has on this machine, by kind; kinds with nothing left out."""
        directory = self.directory(name)
        tag = state.tag_of(directory)
        rules = [
            line
            for table in ("nat", "filter", "mangle", "raw")
            for line in subprocess.check_output(["iptables", "-w", "-t", table, "-S"], text=True).splitlines()
            if tag in line
        ]
        found = {
            "processes": [
                " ".join(argv)
                for identity, argv in _processes()
                if str(directory) in " ".join(argv) and identity != os.getpid()
            ],
            "marked": [argv[0] for _, argv in processes.find(state.MARKER, str(directory))],
            "mounts": [str(point) for point in mounts.mounts_below(directory)],
            "links": [link.name for link in Path("/sys/class/net").iterdir() if tag in link.name],
            "cgroups": [
                str(group)
                for hierarchy in cgroups.hierarchies()
                for group in (hierarchy.mount / cgroups.TOP).glob(f"{tag}*")
            ],
            "rules": rules,
            "run": [str(path) for path in Path("/run").rglob(f"*{tag}*")],
            "state": [str(path) for path in directory.parent.glob(f"{name}*")],
            "inventory": [str(path) for path in (self.home / "inventories").glob(f"{name}*")],
        }
        return {kind: things for kind, things in found.items() if things}


def _processes() -> Iterator[tuple[int, list[str]]]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            yield int(entry.name), [word.decode(errors="replace") for word in words]


@pytest.fixture(scope="module")
def lab_home() -> Iterator[Path]:
    assert os.geteuid() == 0, "the lab's tests need root: run scripts/test e2e as root"
    # Not pytest's tmp_path: kept directories of earlier runs would hold root file systems.
    home = Path("/tmp") / f"nodestrap-lab-{os.getpid()}"
    home.mkdir(mode=0o700)
    yield home
    LabCommand(home)("down", "--all")
    shutil.rmtree(home)


@pytest.fixture(scope="module")
def lab(lab_home: Path) -> LabCommand:
    return LabCommand(lab_home)


@contextmanager
def _standing(lab: LabCommand, name: str, *words: str) -> Iterator[None]:
    lab.up(name, *words)
    try:
        yield
    finally:
        lab("down", "--name", name)


@pytest.fixture(scope="module")
def pair(lab: LabCommand) -> Iterator[str]:
    """The name of a lab with two hosts, shared by the tests that only look."""
    with _standing(lab, "pair", "--nodes", "2"):
        yield "pair"


def test_hosts_run_systemd_with_nothing_failed(lab: LabCommand, pair: str) -> None:
    assert (
        lab("exec", "--name", pair, "all", "systemctl", "is-system-running", "--wait").split()
        == ["running"] * 2
    )


def test_hosts_start_bare_and_the_list_proves_it(lab: LabCommand, pair: str) -> None:
    for host in lab.listed(pair, "-v")["hosts"]:
        names = {package.split()[0] for package in host["packages"]}
        assert {"systemd", "openssh-server", "python3"} <= names
        assert not names & set(PROVISIONED)
    script = "ls /opt/cni /opt/pycri /etc/containerd /etc/kubernetes 2>/dev/null; command -v runc ctr kubelet"
    lab("exec", "--name", pair, "node1", "sh", "-c", script, code=127)


def test_hosts_differ_in_what_must_be_unique(lab: LabCommand, pair: str) -> None:
    for words in (["hostname"], ["cat", "/etc/machine-id"], ["cat", "/etc/ssh/ssh_host_ed25519_key.pub"]):
        answers = lab("exec", "--name", pair, "all", *words).splitlines()
        assert len(set(answers)) == 2, words


def test_the_inventory_is_one_that_ansible_reads(lab: LabCommand, pair: str) -> None:
    inventory = lab.home / "inventories" / pair
    ansible = Path(sys.executable).with_name("ansible")
    ping = [str(ansible), "nodes", "-i", str(inventory), "-m", "ansible.builtin.ping", "-o"]
    variables = yaml.safe_load((inventory / "group_vars/all.yml").read_text())
    checking = f"-o UserKnownHostsFile={variables['nodestrap_known_hosts_file']} -o StrictHostKeyChecking=yes"
    environment = {
        **os.environ,
        "ANSIBLE_SSH_COMMON_ARGS": checking,
        "ANSIBLE_PYTHON_INTERPRETER": "auto_silent",
        "ANSIBLE_LOCAL_TEMP": str(lab.home / "ansible"),
    }
    done = subprocess.run(ping, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.count("SUCCESS") == 2, done.stdout + done.stderr


def test_hosts_reach_each_other_the_registry_and_the_package_archive(lab: LabCommand, pair: str) -> None:
    lab("exec", "--name", pair, "node1", "ssh-keyscan", "-t", "ed25519", "node2")
    mirrors = yaml.safe_load((lab.home / "inventories" / pair / "group_vars/all.yml").read_text())
    upstream, repository = PAUSE.partition(":")[0].split("/", 1)
    base = mirrors["containerd_registry_mirrors"][upstream][0]
    url = f"{base}/v2/{repository}/manifests/{PAUSE.rpartition(':')[2]}"
    fetch = (
        "import urllib.request as u; r = u.Request(%r, headers={'Accept':"
        " 'application/vnd.oci.image.manifest.v1+json'}); print(u.urlopen(r, timeout=10).status)"
    )
    assert lab("exec", "--name", pair, "node2", "python3", "-c", fetch % url).strip() == "200"
    # A package that nobody prefetched.
    lab("exec", "--name", pair, "node1", "apt-get", "-qq", "-y", "--download-only", "install", "hello")


def test_hosts_have_cgroups_of_their_own(lab: LabCommand, pair: str) -> None:
    marker = "nodestrap-lab-e2e"
    path = next(h.mount for h in cgroups.hierarchies() if "memory" in h.controllers or h.version == 2)
    lab("exec", "--name", pair, "node1", "mkdir", f"{path}/{marker}")
    lab("exec", "--name", pair, "node2", "test", "!", "-e", f"{path}/{marker}")
    assert not (path / marker).exists()


def test_exec_passes_words_and_exit_codes_unharmed(lab: LabCommand, pair: str) -> None:
    assert lab("exec", "--name", pair, "node1", "printf", "%s|", "a b", "$HOME", "it's") == "a b|$HOME|it's|"
    lab("exec", "--name", pair, "node1", "sh", "-c", "exit 42", code=42)
    assert (
        lab("exec", "--name", pair, "node1", "--", "echo", "-v", "--json", "--name") == "-v --json --name\n"
    )
    assert lab("ssh", "--name", pair, "node2", "hostname").strip() == "node2"


def test_mistakes_are_usage_errors_with_a_way_out(lab: LabCommand, pair: str) -> None:
    assert "Its hosts are node1, node2." in lab("exec", "--name", pair, "node9", "true", code=2)
    assert "there are: pair" in lab("ssh", "--name", "nosuch", "node1", code=2)
    assert "cannot name a lab" in lab("up", "--name", "../x", code=2)
    assert "it cannot shrink" in lab("up", "--name", pair, "--nodes", "1", "--inventory",
                                     str(lab.home / "inventories" / pair), code=2)  # fmt: skip
    assert "with its inventory in" in lab("up", "--name", pair, "--inventory", "/nonexistent/x", code=2)


def test_a_second_up_changes_nothing_and_takes_seconds(lab: LabCommand, pair: str) -> None:
    def boot_ids() -> str:
        return lab("exec", "--name", pair, "all", "cat", "/proc/sys/kernel/random/boot_id")

    before, began = boot_ids(), time.monotonic()
    lab.up(pair)
    assert time.monotonic() - began < 10
    assert boot_ids() == before


def test_up_boots_a_stopped_host_with_its_disk_and_adds_missing_ones(lab: LabCommand) -> None:
    with _standing(lab, "grow"):
        lab("exec", "--name", "grow", "node1", "touch", "/root/kept")
        lab("stop", "--name", "grow", "node1")
        assert [host["running"] for host in lab.listed("grow")["hosts"]] == [False]
        lab.up("grow", "--nodes", "2")
        assert [host["running"] for host in lab.listed("grow")["hosts"]] == [True, True]
        lab("exec", "--name", "grow", "node1", "test", "-e", "/root/kept")
        lab("exec", "--name", "grow", "node1", "getent", "hosts", "node2")
    assert lab.traces("grow") == {}


def test_two_labs_stand_side_by_side(lab: LabCommand, pair: str) -> None:
    with _standing(lab, "other"):
        assert lab.listed("other")["subnet"] != lab.listed(pair)["subnet"]
        assert lab("exec", "--name", "other", "node1", "hostname").strip() == "node1"
    assert all(host["running"] for host in lab.listed(pair)["hosts"])


def test_down_leaves_nothing_and_is_idempotent(lab: LabCommand) -> None:
    forwarding = Path("/proc/sys/net/ipv4/ip_forward")
    before = forwarding.read_text() if not Path("/run/nodestrap-lab").exists() else None
    with _standing(lab, "trace", "--nodes", "2"):
        # The search finds what is there, or its silence afterwards would prove nothing.
        kinds = {"processes", "marked", "mounts", "links", "cgroups", "rules", "run", "state", "inventory"}
        assert set(lab.traces("trace")) == kinds
        # Something for `down` to trip over: mounts, children and cgroups inside of the host.
        script = (
            "mount -t tmpfs tmpfs /mnt; mkdir /sys/fs/cgroup/pids/x/y -p; setsid sleep 999 >/dev/null 2>&1 &"
        )
        lab("exec", "--name", "trace", "node1", "sh", "-c", script)
    assert lab.traces("trace") == {}
    if before is not None and not Path("/run/nodestrap-lab").exists():
        assert forwarding.read_text() == before
    assert "there is no lab trace" in lab("down", "--name", "trace")


@pytest.mark.parametrize("moment", ["network", "registry", "node1 booted"])
def test_down_cleans_up_after_a_killed_up(lab: LabCommand, moment: str) -> None:
    inventory = lab.home / "inventories" / "killed"
    argv = lab.argv("up", "--name", "killed", "--nodes", "2", "--inventory", str(inventory))
    with subprocess.Popen(argv, env=lab.environment, stderr=subprocess.PIPE, text=True) as up:
        assert up.stderr is not None
        for line in up.stderr:
            if moment in line:
                break
        up.send_signal(signal.SIGKILL)
        up.wait()
        up.stderr.read()
    try:
        assert "state" in lab.traces("killed")
    finally:
        lab("down", "--name", "killed")
    assert lab.traces("killed") == {}


def test_a_failed_up_removes_what_it_made(lab: LabCommand) -> None:
    inventory = lab.home / "inventories" / "failing"
    inventory.mkdir(parents=True)
    (inventory / "hosts.yml").write_text("all: {}\n")
    output = lab("up", "--name", "failing", "--inventory", str(inventory), code=2)
    assert "was not written by the lab" in output
    shutil.rmtree(inventory)
    assert lab.traces("failing") == {}


def test_two_operators_are_kept_apart(lab: LabCommand) -> None:
    with _standing(lab, "locked"):
        from installer.lab.lock import exclusive

        with exclusive(lab.directory("locked").with_name("locked.lock"), "it"):
            assert "is at work on lab 'locked'" in lab("down", "--name", "locked", code=11)


def test_without_root_the_message_says_so(lab: LabCommand) -> None:
    # A user namespace without a mapping is how a process of root's can be nobody and still read the code.
    argv = ["unshare", "--user", *lab.argv("up", "--name", "nobody")]
    done = subprocess.run(argv, env=lab.environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2, done.stderr
    assert "need root" in done.stderr
