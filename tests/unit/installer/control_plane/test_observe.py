from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from installer.control_plane.access import admit, revoke
from installer.control_plane.kubectl import Kubectl
from installer.control_plane.observe import observe
from installer.errors import ClusterError
from installer.kubeadm.settings import Secrets
from installer.ssh.connection import CommandResult
from tests.unit.installer.hosts import host

SECRETS = Secrets("abcdef.0123456789abcdef", "0" * 64)
NODE = {
    "metadata": {"name": "node1", "labels": {"node-role.kubernetes.io/control-plane": ""}},
    "spec": {"podCIDR": "10.244.0.0/24"},
    "status": {
        "nodeInfo": {"kubeletVersion": "v1.31.4"},
        "conditions": [{"type": "Ready", "status": "False", "message": "no network"}],
        "addresses": [{"type": "InternalIP", "address": "192.0.2.1"}],
    },
}


class Host:
    """A connection whose host answers by the command's last words."""

    def __init__(self, name: str, *lines: str, nodes: Any = None) -> None:
        self.host, self._lines, self._nodes = name, lines, nodes

    def run(self, argv: list[str], stdin: bytes = b"", timeout: float = 60.0) -> CommandResult:
        if argv[0] == "sh":
            return CommandResult(0, "".join(f"{line}\n" for line in self._lines).encode(), b"")
        if self._nodes is None:
            return CommandResult(1, b"", b"connection refused")
        answer = {"gitVersion": "v1.31.4"} if "/version" in argv else {"items": self._nodes}
        return CommandResult(0, json.dumps(answer).encode(), b"")


def coded(name: str, content: bytes = b"x") -> str:
    return f"{name} {base64.b64encode(content).decode()}"


def test_a_bare_host_is_nothing() -> None:
    state = observe([host("node1")], {"node1": Host("node1")})  # type: ignore[dict-item]
    assert state.control_plane is None
    assert state.complaint is None
    assert not state.host("node1").entered


def test_a_control_plane_that_answers_tells_of_its_nodes() -> None:
    connection = Host("node1", coded("kubelet_conf"), "admin_conf yes", "kubelet yes", nodes=[NODE])
    state = observe([host("node1")], {"node1": connection})  # type: ignore[dict-item]
    assert (state.control_plane, state.server_version) == ("node1", "v1.31.4")
    node = state.nodes["node1"]
    assert (node.ready, node.reason, node.control_plane) == (False, "no network", True)
    assert node.pod_cidrs == ("10.244.0.0/24",)
    assert not state.member("node1", "node1"), "it is not ready"


@pytest.mark.parametrize("lacking", ["kubelet_conf", "kubelet", None])
def test_a_member_is_known_ready_and_runs(lacking: str | None) -> None:
    ready = {**NODE["status"], "conditions": [{"type": "Ready", "status": "True"}]}
    lines = {"kubelet_conf": coded("kubelet_conf"), "admin": "admin_conf yes", "kubelet": "kubelet yes"}
    connection = Host(
        "node1", *(line for name, line in lines.items() if name != lacking), nodes=[{**NODE, "status": ready}]
    )
    state = observe([host("node1")], {"node1": connection})  # type: ignore[dict-item]
    assert state.member("node1", "node1") is (lacking is None)


def test_an_unfinished_attempt_is_no_member() -> None:
    ready = {**NODE["status"], "conditions": [{"type": "Ready", "status": "True"}]}
    lines = [coded("kubelet_conf"), "admin_conf yes", "kubelet yes", coded("unfinished", b"init\n")]
    connection = Host("node1", *lines, nodes=[{**NODE, "status": ready}])
    state = observe([host("node1")], {"node1": connection})  # type: ignore[dict-item]
    assert not state.member("node1", "node1")


def test_a_control_plane_that_is_down_leaves_its_complaint() -> None:
    connection = Host("node1", coded("kubelet_conf"), "admin_conf yes")
    state = observe([host("node1")], {"node1": connection})  # type: ignore[dict-item]
    assert state.control_plane is None
    assert "connection refused" in str(state.complaint)


class Recorded:
    """kubectl, written down."""

    def __init__(self, *answers: tuple[int, bytes]) -> None:
        self.calls: list[tuple[str, bytes]] = []
        self._answers = list(answers)

    def __call__(self, argv: list[str], stdin: bytes, timeout: float) -> CommandResult:
        self.calls.append((" ".join(argv), stdin))
        code, out = self._answers.pop(0) if self._answers else (0, b"")
        return CommandResult(code, out if code == 0 else b"", b"" if code == 0 else out)


def test_secrets_go_over_stdin_and_are_revoked_by_id() -> None:
    owner = {"kind": "Secret", "name": "bootstrap-token-xyzxyz"}
    kept = {"metadata": {"ownerReferences": [owner]}}
    run = Recorded((0, b"secret/bootstrap-token-abcdef created\n"), (0, json.dumps(kept).encode()))
    kubectl = Kubectl("node1", run)
    admit(kubectl, SECRETS)
    revoke(kubectl, [SECRETS.token_id], certificates=True)
    assert b"0123456789abcdef" in run.calls[0][1]
    assert not any("0123456789abcdef" in words for words, _ in run.calls)
    assert "delete secret bootstrap-token-abcdef kubeadm-certs bootstrap-token-xyzxyz" in run.calls[-1][0]


def test_apply_counts_what_changed() -> None:
    run = Recorded((0, b"a/x created\na/y unchanged\na/z configured\n"))
    assert Kubectl("node1", run).apply({"kind": "X"}) == 2


def test_a_refusal_says_what_was_asked_and_where() -> None:
    with pytest.raises(ClusterError, match="kubectl get nodes --output=json: Forbidden") as error:
        Kubectl("node1", Recorded((1, b"Forbidden"))).get("nodes")
    assert error.value.host == "node1"


def test_an_api_server_that_restarts_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("installer.control_plane.kubectl._PAUSE", 0)
    run = Recorded((1, b"The connection to the server was refused"), (0, b"well"))
    assert Kubectl("node1", run)("get", "x", tries=2) == "well"
