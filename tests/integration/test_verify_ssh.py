"""verify over SSH: two hosts at once, through a real sshd, against containerd's own CRI.

Both "hosts" are this machine, so that two runs share one endpoint: each must clean up its own pods only.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from installer import cli
from installer.lab.registry import Registry
from installer.lab.standard_images import PAUSE, push_standard_images
from installer.verify.client import CriClient
from pycri._generated import cri_pb2
from tests.support.containerd import ContainerdHost
from tests.support.sshd import PrivateSshd

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def containerd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ContainerdHost]:
    with (
        Registry(tmp_path_factory.mktemp("registry")) as registry,
        ContainerdHost(cri=True, sandbox_image=PAUSE) as host,
    ):
        push_standard_images(registry.address)
        (host.certs_dir / "registry.k8s.io").mkdir()
        (host.certs_dir / "registry.k8s.io" / "hosts.toml").write_text(
            f'server = "{registry.url}"\n[host."{registry.url}"]\ncapabilities = ["pull", "resolve"]\n'
        )
        client = CriClient(f"unix://{host.address}")
        spec = cri_pb2.ImageSpec(image=PAUSE)  # as kubeadm's preflight does on a node
        client.image.PullImage(cri_pb2.PullImageRequest(image=spec))
        client.close()
        yield host


@pytest.fixture
def inventory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    with PrivateSshd(tmp_path / "sshd") as sshd:
        hosts = {"node1": sshd.variables, "node2": sshd.variables}
        path = tmp_path / "hosts.yml"
        path.write_text(yaml.safe_dump({"workers": {"hosts": hosts}}))
        yield path


def verify(inventory: Path, endpoint: str, *arguments: str) -> list[str]:
    return ["--json", "verify", "-i", str(inventory), "--endpoint", endpoint, *arguments]


def test_two_hosts_at_once(
    containerd: ContainerdHost, inventory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # of tier 1: what runs longer after it would meet an image that the other run has removed
    names = [
        "node.*",
        "log.*",
        "image.pull-tag",
        "image.pull-digest",
        "image.list",
        "image.remove",
        "stats.pod",
        "stats.container",
    ]
    names += ["stream.exec", "stream.attach", "stream.port-forward"]
    chosen = [word for name in names for word in ("--check", name)]
    code = cli.run(verify(inventory, containerd.address, *chosen))
    endpoints = json.loads(capsys.readouterr().out)["endpoints"]
    failed = [
        (each["host"], check["id"], check["evidence"])
        for each in endpoints
        for check in each["checks"]
        # while one run removes the image, the other may just be looking at it
        if check["outcome"] == "fail" and not check["id"].startswith("image.")
    ]
    assert failed == []
    assert [each["host"] for each in endpoints] == ["node1", "node2"]
    checks = [check for each in endpoints for check in each["checks"]]
    passed = {check["id"] for check in checks if check["outcome"] == "pass"}
    assert {
        "node.socket",
        "log.format",
        "log.reopen",
        "stats.pod",
        "stream.exec",
        "stream.port-forward",
    } <= passed
    assert all(each["leftovers"] == [] for each in endpoints)
    assert code in (0, 8)


def test_one_host_in_full(
    containerd: ContainerdHost, inventory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = cli.run(verify(inventory, containerd.address, "--limit", "node1"))
    (endpoint,) = json.loads(capsys.readouterr().out)["endpoints"]
    failed = {check["id"]: check["evidence"] for check in endpoint["checks"] if check["outcome"] == "fail"}
    assert failed == {}
    assert endpoint["leftovers"] == []
    assert sum(check["seconds"] for check in endpoint["checks"] if check["tier"] == 0) < 2
    assert endpoint["seconds"] < 30
    assert code == 0


def test_a_dead_host_among_living_ones(
    containerd: ContainerdHost, inventory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = yaml.safe_load(inventory.read_text())
    document["workers"]["hosts"]["node2"]["ansible_port"] = 1
    inventory.write_text(yaml.safe_dump(document))
    code = cli.run(verify(inventory, containerd.address, "--check", "api.version"))
    living, dead = json.loads(capsys.readouterr().out)["endpoints"]
    assert code == 3
    assert living["exit_code"] == 0
    assert "refuses connections" in dead["error"]
    assert dead["fix"]


def test_a_socket_that_is_not_there(inventory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = cli.run(verify(inventory, "/run/no-such.sock", "--limit", "node1"))
    (endpoint,) = json.loads(capsys.readouterr().out)["endpoints"]
    assert code == 7
    assert endpoint["checks"][0]["outcome"] == "fail"
