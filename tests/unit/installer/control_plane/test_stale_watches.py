from __future__ import annotations

from dataclasses import dataclass

import pytest

from installer.control_plane import stale_watches
from installer.control_plane.kubectl import Kubectl
from installer.control_plane.stale_watches import restart_if_stale
from installer.errors import ClusterError

SERVER = "https://192.0.2.1:6443"


@dataclass
class Answer:
    status: int = 0
    stdout: bytes = b""
    stderr: bytes = b""


def host(*answers: Answer) -> tuple[Kubectl, list[list[str]]]:
    """A control plane that gives these answers, the last one for ever; and what it was asked."""
    asked: list[list[str]] = []

    def run(argv: list[str], _stdin: bytes, _timeout: float) -> Answer:
        asked.append(argv[2:])  # without env and PATH
        return answers[min(len(asked), len(answers)) - 1]

    return Kubectl("cp1", run), asked


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stale_watches, "_PAUSE", 0.0)
    monkeypatch.setattr(stale_watches, "_AWAIT_SECONDS", 0.05)


def test_an_api_server_that_never_missed_etcds_leader_is_left_alone() -> None:
    kubectl, asked = host(Answer())
    assert not restart_if_stale(kubectl, SERVER)
    assert [words[0] for words in asked] == ["sh"]
    assert "etcdserver: no leader" in asked[0][2]


def test_a_stale_one_is_restarted_and_asked_itself_until_it_answers() -> None:
    refused = Answer(1, stderr=b"The connection to the server was refused")
    kubectl, asked = host(Answer(stdout=b"stopped 0f1e\n"), refused, Answer(stdout=b"ok"))
    assert restart_if_stale(kubectl, SERVER)
    assert [words[0] for words in asked] == ["sh", "kubectl", "kubectl"]
    assert {"--raw=/readyz", f"--server={SERVER}"} <= set(asked[1])


def test_one_that_does_not_come_back_is_named() -> None:
    kubectl, _ = host(Answer(stdout=b"stopped 0f1e\n"), Answer(1, stderr=b"was refused"))
    with pytest.raises(ClusterError, match=r"does not come back after a restart: .*was refused") as caught:
        restart_if_stale(kubectl, SERVER)
    assert (caught.value.host, caught.value.step) == ("cp1", "join")
    assert caught.value.fix


def test_one_that_cannot_be_stopped_is_named() -> None:
    kubectl, _ = host(Answer(1, stderr=b"crictl: not found"))
    with pytest.raises(ClusterError, match="cannot be restarted: crictl: not found"):
        restart_if_stale(kubectl, SERVER)
