"""The module ``kubeadm`` against programs that act as kubeadm, kubectl and systemctl do, and note calls."""

from __future__ import annotations

import base64
import hashlib
import subprocess
import sys
import threading
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.support.ansible_modules import PLAYBOOKS, load, run

TOKEN = "abcdef.0123456789abcdef"

# kubectl answers where $HOST/api exists; kubeadm joins unless $HOST/breaks exists.
_KUBECTL = """
echo "kubectl $*" >>"$HOST/calls"
[ -e "$HOST/api" ] && echo node/n1 && exit 0
echo refused >&2
exit 1
"""
_KUBEADM = """
echo "kubeadm $*" >>"$HOST/calls"
case $1 in init|join) cat "$3" >"$HOST/config"; stat -c %a "$3" >"$HOST/mode";; esac
mkdir -p "$HOST/etc"; touch "$HOST/etc/kubelet.conf"
if [ -e "$HOST/breaks" ]; then cat "$HOST/breaks" >&2; exit 1; fi
touch "$HOST/api"
"""
_SYSTEMCTL = """
echo "systemctl $*" >>"$HOST/calls"
[ "$1" = start ] && [ -e "$HOST/slow" ] && touch "$HOST/api"
exit 0
"""


class Host:
    """A host below a directory."""

    def __init__(self, root: Path, module: ModuleType) -> None:
        self.root = root
        self.module = module

    def kubeadm(self, *, check: bool = False, **arguments: Any) -> dict[str, Any]:
        given = {"verb": "init", "config": f"token: {TOKEN}\n", "node": "n1", "patience": 0, **arguments}
        return run(self.module, check=check, **given)

    @property
    def calls(self) -> list[str]:
        path = self.root / "calls"
        return path.read_text().splitlines() if path.exists() else []

    def entered(self) -> list[str]:
        """The calls of kubeadm that ran it."""
        return [call for call in self.calls if call.startswith("kubeadm ")]

    def has(self, *names: str) -> None:
        for name in names:
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            (self.root / name).touch()


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, script in (("kubectl", _KUBECTL), ("kubeadm", _KUBEADM), ("systemctl", _SYSTEMCTL)):
        (programs / name).write_text(f"#!/bin/sh\nHOST={tmp_path}\n{script}\n")
        (programs / name).chmod(0o755)
    module = load("kubeadm", tmp_path)
    settings = {
        "PATH": f"{programs}:/usr/bin:/bin",
        "KUBERNETES": str(tmp_path / "etc"),
        "KUBELET_CONF": str(tmp_path / "etc/kubelet.conf"),
        "ADMIN_CONF": str(tmp_path / "etc/admin.conf"),
        "MARKER": str(tmp_path / "state/kubeadm-started"),
        "LOCK": str(tmp_path / "lock"),
        "RUN": str(tmp_path),
    }
    for name, value in settings.items():
        monkeypatch.setattr(module, name, value)
    monkeypatch.setenv("PATH", settings["PATH"])
    return Host(tmp_path, module)


def test_a_bare_host_is_entered_once(host: Host) -> None:
    assert host.kubeadm()["changed"]
    assert not host.kubeadm()["changed"]
    assert len(host.entered()) == 1
    assert not (host.root / "state/kubeadm-started").exists()


def test_check_mode_says_so_and_runs_nothing(host: Host) -> None:
    answer = host.kubeadm(check=True)
    assert answer["changed"]
    assert "kubeadm init n1" in answer["diff"]["after"]
    assert host.entered() == []


def test_secrets_pass_through_a_file_for_root_alone(host: Host) -> None:
    answer = host.kubeadm()
    assert TOKEN in (host.root / "config").read_text()
    assert (host.root / "mode").read_text().strip() == "600"
    assert not list(host.root.glob("nodestrap-kubeadm-*"))
    assert TOKEN not in str(answer)
    assert all(TOKEN not in call for call in host.calls)


def test_files_alone_are_no_node_and_are_not_touched(host: Host) -> None:
    host.has("etc/kubelet.conf")
    answer = host.kubeadm()
    assert answer["failed"]
    assert "belongs to another cluster" in answer["msg"]
    assert "refused" in answer["msg"]
    assert host.entered() == []


def test_a_cluster_that_is_slow_to_come_back_is_waited_for(host: Host) -> None:
    host.has("etc/kubelet.conf", "slow")
    assert not host.kubeadm(patience=10)["changed"]
    assert "systemctl start kubelet.service" in host.calls
    assert host.entered() == []


def test_an_init_that_failed_is_taken_up_again_with_what_it_left(host: Host) -> None:
    (host.root / "breaks").write_text("[preflight] Some fatal errors occurred:\n\t[ERROR Swap]: swap is on\n")
    answer = host.kubeadm()
    assert answer["failed"]
    assert "[Swap]: swap is on" in answer["msg"]
    assert not list(host.root.glob("nodestrap-kubeadm-*"))
    (host.root / "breaks").unlink()
    assert host.kubeadm()["changed"]
    first, second = host.entered()
    assert "--ignore-preflight-errors" not in first
    assert "FileAvailable--etc-kubernetes-manifests-etcd.yaml" in second


def test_an_init_that_was_cut_short_after_the_node_appeared_is_finished(host: Host) -> None:
    host.has("etc/kubelet.conf", "api", "state/kubeadm-started")
    assert host.kubeadm()["changed"]
    assert len(host.entered()) == 1


def test_a_workers_join_that_was_cut_short_after_the_node_appeared_is_done(host: Host) -> None:
    host.has("etc/kubelet.conf", "api", "state/kubeadm-started")
    assert not host.kubeadm(verb="join")["changed"]
    assert not (host.root / "state/kubeadm-started").exists()


def test_half_a_join_is_cleared_first(host: Host) -> None:
    host.has("etc/kubelet.conf", "etc/pki/ca.crt", "etc/mine", "state/kubeadm-started")
    assert host.kubeadm(verb="join")["changed"]
    assert not (host.root / "etc/pki/ca.crt").exists()
    assert (host.root / "etc/mine").exists()
    assert [call.split()[1] for call in host.entered()] == ["join"]


def test_half_a_control_plane_is_reset_so_that_etcd_forgets_it(host: Host) -> None:
    host.has("etc/kubelet.conf", "state/kubeadm-started")
    assert host.kubeadm(verb="join", control_plane=True)["changed"]
    assert [call.split()[1] for call in host.entered()] == ["reset", "join"]


def test_a_kubeadm_still_under_way_is_waited_for(host: Host) -> None:
    """Another process holds the lock and ends with the node known."""
    script = "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.flock(f, fcntl.LOCK_EX);"
    script += "print('held', flush=True); sys.stdin.read()"
    argv = [sys.executable, "-c", script, str(host.root / "lock")]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == "held\n"
        host.has("etc/kubelet.conf", "api")
        timer = threading.Timer(0.3, other.stdin.close)
        timer.start()
        assert not host.kubeadm()["changed"]
        timer.join()
    assert host.entered() == []


_RSA = ("-newkey", "rsa:2048")
_EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")


def _certificate(directory: Path, *options: str) -> tuple[str, str]:
    """A CA's certificate, encoded as in a kubeconfig, and the hash of its key, both by openssl."""
    key, pem = directory / "ca.key", directory / "ca.pem"
    new = ["openssl", "req", "-x509", "-nodes", "-subj", "/CN=kubernetes", *options]
    subprocess.run([*new, "-keyout", str(key), "-out", str(pem)], check=True, capture_output=True)
    der = ["openssl", "pkey", "-in", str(key), "-pubout", "-outform", "DER"]
    public = subprocess.run(der, check=True, capture_output=True).stdout
    return base64.b64encode(pem.read_bytes()).decode(), "sha256:" + hashlib.sha256(public).hexdigest()


@pytest.mark.parametrize(
    "options", [("-newkey", "rsa:2048"), ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")]
)
def test_a_node_of_the_same_name_in_another_cluster_is_refused(host: Host, options: tuple[str, ...]) -> None:
    data, own = _certificate(host.root, *options)
    host.has("etc/kubelet.conf", "api")
    (host.root / "etc/kubelet.conf").write_text(
        f"clusters:\n- cluster:\n    certificate-authority-data: {data}\n"
    )
    assert not host.kubeadm(verb="join", ca_cert_hashes=["sha256:" + "0" * 64, own])["changed"]
    answer = host.kubeadm(verb="join", ca_cert_hashes=["sha256:" + "0" * 64])
    assert answer["failed"]
    assert f"another cluster: its CA is {own}" in answer["msg"]
    assert host.entered() == []


def test_the_end_of_its_words_is_told_where_no_check_failed(host: Host) -> None:
    (host.root / "breaks").write_text("\n".join(f"line {number}" for number in range(40)))
    said = host.kubeadm()["msg"]
    assert "line 39" in said
    assert "line 1\n" not in said


def test_the_documentation_names_every_argument() -> None:
    import yaml

    module = load("kubeadm", Path("/nonexistent"))
    documented = set(yaml.safe_load(module.DOCUMENTATION)["options"])
    source = (PLAYBOOKS / "library/kubeadm.py").read_text()
    assert all(f'"{name}": {{"type"' in source for name in documented)
