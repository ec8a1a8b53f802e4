"""The roles on a bare host with systemd and SSH: converged, at rest, repaired, and clear when they fail."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import tomllib
import yaml

from installer.artifacts import ArtifactSpec, build_pycri_archive, resolve
from tests.support import debian
from tests.support.ansible_play import ROOT, Play, play

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

RECEIPTS = "/var/lib/nodestrap/receipts"
SNAPSHOT = (
    "dpkg-query -W -f '${Package} ${db:Status-Status}\\n'; "
    "find /etc /opt /usr/local /var/lib/nodestrap -xdev -printf '%p %m %l %s\\n' 2>/dev/null | sort; "
    "systemctl list-unit-files --no-legend; sysctl -n net.ipv4.ip_forward"
)


@dataclass
class Host:
    """One lab host, and how to play roles on it."""

    inventory: Path
    workdir: Path
    address: str
    key: str
    variables: dict[str, Any] = field(default_factory=dict)

    def run(self, command: str, code: int = 0) -> str:
        argv = ["ssh", *shlex.split(self.ssh_options), "-i", self.key, f"root@{self.address}", command]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == code, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def play(self, *, check: bool = False, **variables: Any) -> Play:
        environment = {"ANSIBLE_SSH_ARGS": f"{self.ssh_options} -o ControlMaster=auto -o ControlPersist=15s"}
        values = {**self.variables, **variables}
        book = ROOT / "playbooks/runtime.yml"
        return play(book, self.inventory, self.workdir, values, check=check, environment=environment)

    @property
    def ssh_options(self) -> str:
        known_hosts = self.workdir / "known_hosts"
        own = f"-o StrictHostKeyChecking=accept-new -o UserKnownHostsFile={known_hosts}"
        return f"-F /dev/null {own} -o LogLevel=ERROR"

    def receipts(self) -> dict[str, dict[str, Any]]:
        names = self.run(f"ls {RECEIPTS}").split()
        return {name: json.loads(self.run(f"cat {RECEIPTS}/{name}")) for name in names}

    def sums(self, paths: list[str]) -> str:
        """Content, mode and owner of each path, or where it points to."""
        each = 'if [ -L "$p" ]; then readlink "$p"; else stat -c "%a %U" "$p"; sha256sum "$p"; fi'
        return self.run(f"for p in {shlex.join(paths)}; do {each}; done")


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    home = tmp_path_factory.mktemp("roles")
    environment = {**os.environ, "XDG_STATE_HOME": str(home / "state")}
    inventory = home / "inventory"

    def lab(*words: str) -> None:
        argv = [sys.executable, "-m", "installer.cli", "lab", *words, "--name", "roles"]
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=400, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    try:
        lab("up", "--nodes", "1", "--inventory", str(inventory))
        hosts = yaml.safe_load((inventory / "hosts.yml").read_text())
        (values,) = hosts["nodes"]["children"]["control_plane"]["hosts"].values()
        archive = build_pycri_archive("3.11", os.uname().machine, home / "cache")
        found = Host(inventory, home, values["ansible_host"], values["ansible_ssh_private_key_file"])
        found.variables["pycri_artifact"] = archive.as_variable()
        yield found
    finally:
        lab("down")


@dataclass(frozen=True)
class Checked:
    play: Play
    before: str
    after: str


@pytest.fixture(scope="module")
def checked(host: Host) -> Checked:
    before = host.run(SNAPSHOT)
    return Checked(host.play(check=True), before, host.run(SNAPSHOT))


@pytest.fixture(scope="module")
def converged(host: Host, checked: Checked) -> Play:
    done = host.play()
    assert done.code == 0, done.output
    return done


def answers(host: Host) -> None:
    host.run("systemctl is-active containerd pycri pycri-io")
    host.run("test -S /run/pycri/pycri.sock && test -S /run/pycri/io.sock")


def test_check_mode_works_on_a_bare_host_and_touches_nothing(checked: Checked) -> None:
    assert checked.play.code == 0, checked.play.output
    assert checked.after == checked.before


def test_check_mode_foretells_what_the_run_changes(checked: Checked, converged: Play) -> None:
    assert set(converged.changed) <= set(checked.play.changed)

    def packages(done: Play) -> list[list[str]]:
        return [task.result["installed"] for task in done.tasks if "installed" in task.result]

    assert packages(checked.play) == packages(converged)
    # A package may bring a directory that check mode thought missing; nothing else differs.
    for told, done in zip(checked.play.tasks, converged.tasks, strict=False):
        assert told.name == done.name
        if "needs_archive" not in told.result and "cni_plugins" not in told.name:
            assert set(done.result.get("paths", ())) <= set(told.result.get("paths", ())), told.name


def test_the_host_is_a_cri_node(host: Host, converged: Play) -> None:
    answers(host)
    assert converged.task("containerd : Service").result["fields"]["1"].startswith("1.6.")
    assert converged.task("pycri : Services").result["fields"]["2"] == "pycri"
    assert host.run("ctr plugins ls | awk '$2 == \"cri\"'") == ""
    assert host.run("stat -c %a /var/lib/containerd /var/lib/pycri").split() == ["700", "700"]
    assert json.loads(host.run("crictl info"))["status"]["conditions"][0]["status"] is True
    assert host.run("crictl pods -q 2>&1") == ""
    assert host.run("readlink -e /opt/cni/bin/bridge").strip() == "/usr/lib/cni/bridge"
    assert host.run("sysctl -n net.ipv4.ip_forward").strip() == "1"


def test_few_tasks_and_hardly_any_skipped(converged: Play) -> None:
    # of the 60 that a worker may take; the cluster's roles add 20
    assert len(converged.tasks) <= 35
    assert len(converged.skipped) <= len(converged.tasks) / 10
    print(f"tasks {len(converged.tasks)}, skipped {len(converged.skipped)}, {converged.seconds:.1f} s")


def test_the_second_run_changes_nothing(host: Host, converged: Play) -> None:
    before = host.run("systemctl show -p ExecMainStartTimestamp containerd pycri pycri-io")
    again = host.play()
    assert again.code == 0, again.output
    assert again.changed == []
    assert host.run("systemctl show -p ExecMainStartTimestamp containerd pycri pycri-io") == before
    print(f"tasks {len(again.tasks)}, {again.seconds:.1f} s")


def test_every_managed_file_is_repaired(host: Host, converged: Play) -> None:
    receipts = host.receipts()
    assert set(receipts) >= {"os_prepare.json", "containerd.json", "cni_plugins.json", "pycri.json"}
    for role in ("os_prepare", "containerd", "cni_plugins", "pycri"):
        paths: list[str] = []
        for name, receipt in receipts.items():
            if name.startswith(role):
                managed = receipt.get("paths", {})
                paths += [path for path, entry in managed.items() if entry["kind"] != "directory"]
                paths += receipt.get("files", {})
        before = host.sums(paths)
        host.run("xargs -d '\\n' rm <<'E'\n" + "\n".join(paths) + "\nE")
        done = host.play()
        assert done.code == 0, f"{role}: {done.output}"
        assert {name.partition(" :")[0] for name in done.changed} == {role}
        assert host.sums(paths) == before, role
        answers(host)
    assert host.play().changed == []


def test_stopped_and_disabled_services_run_again(host: Host, converged: Play) -> None:
    host.run("systemctl disable --now pycri pycri-io containerd")
    done = host.play()
    assert done.code == 0, done.output
    answers(host)
    assert host.run("systemctl is-enabled pycri pycri-io containerd").split() == ["enabled"] * 3


def test_a_run_killed_before_its_handler_is_made_good(host: Host, converged: Play) -> None:
    before = host.run("systemctl show -p MainPID --value pycri")
    host.run("touch /etc/pycri/config.toml")  # as a killed run leaves it: written, the daemon not restarted
    done = host.play()
    assert done.changed == ["pycri : Services"]
    assert host.run("systemctl show -p MainPID --value pycri") != before


def test_a_daemon_that_does_not_start_fails_with_its_journal(host: Host, converged: Play) -> None:
    drop_in = "/etc/systemd/system/pycri.service.d/broken.conf"
    script = "echo the reason is in the journal; exit 3"
    host.run(
        f"mkdir -p $(dirname {drop_in}); "
        f"printf '[Service]\\nExecStart=\\nExecStart=/bin/sh -c \"{script}\"\\nRestart=no\\n' > {drop_in}; "
        "systemctl daemon-reload; systemctl restart pycri || true"
    )
    try:
        done = host.play()
        assert done.code != 0
        assert "pycri.service is failed" in done.failure
        assert "the reason is in the journal" in done.failure
    finally:
        host.run(f"rm -r $(dirname {drop_in}); systemctl daemon-reload")
    assert host.play().code == 0
    answers(host)


def test_a_refused_configuration_is_not_put_in_place(host: Host, converged: Play) -> None:
    before = host.sums(["/etc/cni/net.d/10-nodestrap.conflist"])
    done = host.play(cni_plugins_subnet='10.85.0.0/16"}')
    assert done.code != 0
    assert "/etc/cni/net.d/10-nodestrap.conflist was refused and not put in place" in done.failure
    assert host.sums(["/etc/cni/net.d/10-nodestrap.conflist"]) == before


def test_what_is_given_up_goes_and_what_was_there_before_comes_back(host: Host, converged: Play) -> None:
    hosts_toml = "/etc/containerd/certs.d/registry.example/hosts.toml"
    host.run(f"mkdir -p $(dirname {hosts_toml}); echo '# mine' > {hosts_toml}")
    mirrors = {"registry.example": ["http://127.0.0.1:5000"], "_default": ["https://mirror.example"]}
    secret = {"username": "node", "password": "s3cret-of-the-node"}
    done = host.play(
        containerd_registry_mirrors=mirrors, containerd_registry_credentials={"registry.example": secret}
    )
    assert done.code == 0, done.output
    assert secret["password"] not in done.output
    written = tomllib.loads(host.run(f"cat {hosts_toml}"))
    assert written["header"]["Authorization"] == "Basic bm9kZTpzM2NyZXQtb2YtdGhlLW5vZGU="
    assert host.run(f"stat -c %a {hosts_toml}").strip() == "600"
    host.run("pycri --config /etc/pycri/config.toml config check")
    assert 'server = "https://registry.example"' in host.run(f"cat {hosts_toml}")
    assert "server" not in host.run("cat /etc/containerd/certs.d/_default/hosts.toml")
    done = host.play(cni_plugins_network="none")
    assert done.code == 0, done.output
    assert host.run(f"cat {hosts_toml}") == "# mine\n"
    assert host.run("find /etc/containerd/certs.d/_default /etc/cni/net.d -type f 2>/dev/null || true") == ""
    host.run("test ! -e /etc/containerd/certs.d/_default")
    assert host.play().code == 0


def test_lost_receipts_and_directories_are_repaired(host: Host, converged: Play) -> None:
    """What is there counts as the host's own from then on: nobody knows better any more."""
    host.run(f"rm -r {RECEIPTS} /etc/pycri /opt/cni /etc/systemd/system/containerd.service.d /opt/pycri")
    done = host.play()
    assert done.code == 0, done.output
    answers(host)
    assert host.play().changed == []


def test_two_releases_are_kept_and_the_link_goes_back(host: Host, converged: Play, tmp_path: Path) -> None:
    original = host.variables["pycri_artifact"]
    first = original["release"]
    for number in (1, 2):
        artifact = _other_release(original, tmp_path / str(number), f"{first}-{number}")
        done = host.play(pycri_artifact=artifact)
        assert done.code == 0, done.output
        assert host.run("readlink /opt/pycri/current").strip() == f"{first}-{number}"
    kept = {f"{first}-1", f"{first}-2"}
    assert set(host.run("ls /opt/pycri").split()) == {*kept, "current"}
    receipts = {name for name in host.receipts() if name.startswith(f"pycri-{first}")}
    assert receipts == {f"pycri-{name}.json" for name in kept}
    assert host.play().code == 0  # back to the first
    assert host.run("readlink /opt/pycri/current").strip() == first
    answers(host)


def _other_release(artifact: Mapping[str, str], workdir: Path, release: str) -> dict[str, str]:
    """The same content as another release: what an upgrade of pycri looks like to the role."""
    import gzip
    import hashlib
    import shutil

    workdir.mkdir()
    path = workdir / "pycri.tar.gz"
    with gzip.open(artifact["path"]) as old, gzip.GzipFile(path, "wb", 1, mtime=int(release[-1])) as new:
        shutil.copyfileobj(old, new)
    return {
        **artifact,
        "path": str(path),
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "release": release,
    }


def test_containerd_2_from_a_directory_and_back(host: Host, converged: Play, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "bin").mkdir(parents=True)
    (tree / "cni").mkdir()
    for file in (debian.unpack("sid", "containerd") / "usr/bin").iterdir():
        (tree / "bin" / file.name).symlink_to(file)
    (tree / "bin/runc").symlink_to(debian.unpack("bookworm", "runc") / "usr/sbin/runc")
    for file in (debian.unpack("bookworm", "containernetworking-plugins") / "usr/lib/cni").iterdir():
        (tree / "cni" / file.name).symlink_to(file)
    find = _finder(tree, tmp_path / "cache")
    done = host.play(
        artifact_source="directory",
        containerd_artifact=find("containerd"),
        runc_artifact=find("runc"),
        cni_plugins_artifact=find("cni_plugins", version="1.1.1"),
    )
    assert done.code == 0, done.output
    assert done.task("containerd : Service").result["fields"]["1"].startswith("2.")
    assert (
        host.run("systemctl show -p FragmentPath --value containerd").strip()
        == "/etc/systemd/system/containerd.service"
    )
    assert host.run("ctr plugins ls | awk '$NF == \"error\"'") == ""
    assert host.run("stat -c %F /opt/cni/bin/bridge").strip() == "regular file"
    answers(host)
    back = host.play()
    assert back.code == 0, back.output
    assert back.task("containerd : Service").result["fields"]["1"].startswith("1.6.")
    assert host.run("command -v containerd containerd-shim-runc-v2 ctr runc").split() == [
        "/usr/bin/containerd",
        "/usr/bin/containerd-shim-runc-v2",
        "/usr/bin/ctr",
        "/usr/sbin/runc",
    ]
    assert host.run("readlink -e /opt/cni/bin/bridge").strip() == "/usr/lib/cni/bridge"
    answers(host)


def _finder(tree: Path, cache: Path) -> Callable[..., dict[str, str]]:
    def find(component: str, version: str | None = None) -> dict[str, str]:
        architecture = {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]
        spec = ArtifactSpec(component, "directory", architecture, version, tree)
        found = resolve(spec, cache)
        assert found is not None
        return found.as_variable()

    return find
