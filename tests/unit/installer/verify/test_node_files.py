"""Reading the node's files, and what they say about the endpoint."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from installer.verify import node_files
from installer.verify.check import NotApplicable
from installer.verify.host import LocalHost
from installer.verify.node_files import CRICTL, KUBELET, KUBELET_FLAGS, NodeFiles, parse, same_endpoint
from tests.unit.installer.verify.scripted_host import ScriptedHost


@given(st.dictionaries(st.sampled_from(["/a", "/b c", "/d"]), st.text(max_size=60)))
def test_a_listing_is_read_back(files: dict[str, str]) -> None:
    encoded = {path: text.encode(errors="replace") for path, text in files.items()}
    listing = b"".join(f"{len(body)} {path}\n".encode() + body for path, body in encoded.items())
    assert parse(listing) == {path: body.decode() for path, body in encoded.items()}


@given(st.binary(max_size=80))
def test_any_listing_parses_or_is_refused(data: bytes) -> None:
    try:
        parse(data)
    except ValueError:
        return


def test_the_command_reads_files_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, missing = tmp_path / "one file", tmp_path / "missing"
    one.write_bytes(b"a: 1\nno newline at the end")
    monkeypatch.setattr(node_files, "_ALL", (str(one), str(missing)))

    def sh(script: str) -> bytes:
        return subprocess.run(["sh", "-c", script], capture_output=True, check=True).stdout

    files = node_files.read(ScriptedHost(sh))
    assert files.contents == {str(one): "a: 1\nno newline at the end"}


def test_unprivileged_is_not_applicable() -> None:
    with pytest.raises(NotApplicable, match="uid 1000"):
        node_files.read(ScriptedHost(uid=1000))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("unix:///run/pycri/pycri.sock", "/run/pycri/pycri.sock", True),
        ("unix:///var/run/pycri/pycri.sock", "unix:///run/pycri/pycri.sock", True),
        ('"unix:///run//pycri/pycri.sock"', "unix:///run/pycri/pycri.sock", True),
        ("unix:///run/containerd/containerd.sock", "unix:///run/pycri/pycri.sock", False),
    ],
)
def test_endpoints_are_compared_as_sockets(one: str, other: str, same: bool) -> None:
    assert same_endpoint(one, other) is same


def test_flags_and_documents() -> None:
    files = NodeFiles(
        {
            KUBELET_FLAGS[0]: 'KUBELET_KUBEADM_ARGS="--a=b --container-runtime-endpoint=unix:///x.sock"\n',
            KUBELET: "kind: KubeletConfiguration\ncgroupDriver: systemd\n",
            CRICTL: "- a list\n",
        }
    )
    assert files.kubelet_flag("container-runtime-endpoint") == ("unix:///x.sock", KUBELET_FLAGS[0])
    assert files.kubelet_flag("cgroup-driver") is None
    assert files.document(KUBELET)["cgroupDriver"] == "systemd"
    assert files.document(CRICTL) == {}
    with pytest.raises(ValueError, match=f"{CRICTL} is not YAML"):
        NodeFiles({CRICTL: "a: [1"}).document(CRICTL)


def test_a_local_host_says_whether_it_is_root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setenv("PATH", str(tmp_path))  # no sudo there
    assert LocalHost().refusal == "sudo is not installed"
