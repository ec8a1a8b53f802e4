"""Wrong inputs, each with its exit code and its message, against a private sshd: no lab is booted."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from installer import cli
from installer.lock import cluster_lock
from tests.support.sshd import PrivateSshd, make_key

pytestmark = pytest.mark.integration


@dataclass
class Target:
    """A host to run commands on; ``variables`` are its inventory variables, free to be changed."""

    sshd: PrivateSshd
    directory: Path
    variables: dict[str, Any]
    capsys: pytest.CaptureFixture[str]

    def run(self, verb: str, *words: str, code: int) -> dict[str, Any]:
        inventory = self.directory / "hosts.json"
        inventory.write_text(json.dumps({"workers": {"hosts": {"host1": self.variables}}}))
        assert cli.run([verb, "--json", "-i", str(inventory), *words]) == code
        document: dict[str, Any] = json.loads(self.capsys.readouterr().out)
        return document

    def preflight(self, *words: str, code: int) -> dict[str, Any]:
        return self.run("preflight", *words, code=code)


@pytest.fixture(params=[False], ids=["shared"])
def target(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Target]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    with PrivateSshd(tmp_path / "sshd", network_namespace=request.param) as sshd:
        yield Target(sshd, tmp_path, dict(sshd.variables), capsys)


def _failure(document: dict[str, Any]) -> dict[str, Any]:
    (host,) = document["hosts"]
    assert host["host"] == "host1"
    assert host["fix"]
    return dict(host)


def test_misspelt_variable(target: Target) -> None:
    target.variables["containerd_sorce"] = "distro"
    error = target.preflight(code=2)
    assert (
        error["reason"]
        == "unknown variable 'containerd_sorce'. Did you mean 'containerd_source'? (host host1)"
    )


def test_unreachable_host(target: Target) -> None:
    target.sshd.stop()
    failure = _failure(target.preflight(code=3))
    assert failure["state"] == "unreachable"
    assert "refuses connections" in failure["reason"]


def test_wrong_ssh_key(target: Target) -> None:
    make_key(target.directory / "other")
    target.variables["ansible_ssh_private_key_file"] = str(target.directory / "other")
    failure = _failure(target.preflight(code=3))
    assert failure["reason"].endswith(f"in with {target.directory}/other")


def test_changed_host_key(target: Target) -> None:
    _any_preflight_code(target)
    target.sshd.stop()
    target.sshd.renew_host_key()
    target.sshd.start()
    failure = _failure(target.preflight(code=3))
    assert "not the one pinned" in failure["reason"]
    assert "ssh-keygen -f" in failure["fix"]


def _any_preflight_code(target: Target) -> int:
    """4 or 0: whether this very machine could be a node is not what is tested."""
    inventory = target.directory / "hosts.json"
    inventory.write_text(json.dumps({"workers": {"hosts": {"host1": target.variables}}}))
    code = cli.run(["preflight", "--json", "-i", str(inventory), "--skip-check", "os"])
    target.capsys.readouterr()
    assert code in (0, 4)
    return code


@pytest.mark.parametrize("target", [True], indirect=True, ids=["own network namespace"])
def test_port_in_use(target: Target) -> None:
    """The listener and the sshd live in a namespace of their own, where no other test's port can be."""
    listen = ["socat", "-d", "-d", "TCP-LISTEN:10250,fork", "SYSTEM:cat"]
    command = ["nsenter", "-t", str(target.sshd.pid), "-n", *listen]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            while "listening on" not in process.stderr.readline():
                assert process.poll() is None
            document = target.preflight(code=4)
            assert (
                "ports: TCP port 10250 is in use by socat; kubelet needs it" in _failure(document)["reason"]
            )
            checks = {check["check"]: check for check in document["checks"]}
            assert [finding["severity"] for finding in checks["ports"]["findings"]] == ["error"]
        finally:
            process.terminate()


def test_every_skipped_check_is_named_as_such(target: Target) -> None:
    from installer.preflight.matrix import CHECKS

    skips = [word for name in CHECKS for word in ("--skip-check", name)]
    document = target.preflight(*skips, code=0)
    assert all(check["skipped"] for check in document["checks"])


def test_misspelt_check(target: Target) -> None:
    assert "Did you mean 'swap'" in target.preflight("--skip-check", "swpa", code=2)["reason"]


def test_misspelt_limit(target: Target) -> None:
    assert "Did you mean 'host1'" in target.preflight("--limit", "hsot1", code=2)["reason"]


def test_locked_cluster(target: Target) -> None:
    target.variables["nodestrap_cluster_name"] = "prod"
    with cluster_lock(target.directory / "state" / "nodestrap" / "clusters" / "prod"):
        error = target.run("up", code=11)
    assert "is at work on the cluster 'prod'" in error["reason"]


def test_no_secret_is_logged(target: Target) -> None:
    target.variables["ansible_become_password"] = "correct horse"
    code = _any_preflight_code(target)
    document = target.preflight("--skip-check", "os", code=code)
    assert "correct horse" not in Path(document["log_file"]).read_text()
    assert "correct horse" not in json.dumps(document)
