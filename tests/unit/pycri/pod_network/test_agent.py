"""The agent against an API server of the test's own; what it does to the node is written down."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest

from pycri.pod_network import agent as agent_module
from pycri.pod_network.agent import Agent, Config
from pycri.pod_network.api import ApiError, Credentials, find_credentials
from pycri.pod_network.plan import Plan
from tests.unit.pycri.pod_network.test_plan import OWN, node

OTHER = node("b", ["10.244.1.0/24"], ["192.0.2.2"])
KUBELET_CONF = """
clusters:
- cluster:
    certificate-authority-data: Q0E=
    server: https://192.0.2.10:6443
users:
- user:
    client-certificate: {pem}
    client-key: {pem}
"""


class Recorder:
    def __init__(self) -> None:
        self.plans: list[Plan] = []

    def apply(self, plan: Plan) -> list[str]:
        self.plans.append(plan)
        return []


@pytest.fixture
def system() -> Recorder:
    return Recorder()


@pytest.fixture
def agent(system: Recorder) -> Agent:
    return Agent(Config("a", ("10.244.0.0/16",)), system)  # type: ignore[arg-type]


def with_version(item: dict[str, Any], version: str = "2") -> dict[str, Any]:
    return {**item, "metadata": {**item["metadata"], "resourceVersion": version}}


def serve(monkeypatch: pytest.MonkeyPatch, listed: Any, events: list[Any]) -> None:
    class Api:
        def __init__(self, credentials: Credentials) -> None: ...

        def nodes(self) -> tuple[list[dict[str, Any]], str]:
            if isinstance(listed, Exception):
                raise listed
            return listed, "1"

        def node(self, name: str) -> dict[str, Any]:
            return OWN

        def watch(self, version: str) -> Any:
            yield from events
            raise ApiError(410, "too old")

    monkeypatch.setattr(agent_module, "Api", Api)


def own_credentials(directory: Path) -> Credentials:
    for name in ("server", "ca.crt", "client.crt", "client.key"):
        (directory / name).write_text("x\n")
    found = find_credentials(directory)
    assert found is not None
    assert found.own
    return found


def test_nodes_that_come_and_go_change_the_routes(
    agent: Agent, system: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(monkeypatch, [OWN], [("ADDED", with_version(OTHER)), ("DELETED", with_version(OTHER, "3"))])
    agent.follow(own_credentials(tmp_path), tmp_path)
    assert [list(plan.routes) for plan in system.plans] == [[], ["10.244.1.0/24"], []]


def test_what_does_not_matter_to_the_network_changes_nothing(
    agent: Agent, system: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(monkeypatch, [OWN, OTHER], [("MODIFIED", with_version(OTHER)), ("BOOKMARK", with_version(OTHER))])
    agent.follow(own_credentials(tmp_path), tmp_path)
    assert len(system.plans) == 1


def test_credentials_that_may_not_list_still_give_the_node_its_own_network(
    agent: Agent, system: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(monkeypatch, ApiError(403, "forbidden"), [])
    kubelet = tmp_path / "kubelet.conf"
    pem = tmp_path / "kubelet.pem"
    pem.write_text("x")
    kubelet.write_text(KUBELET_CONF.format(pem=pem))
    credentials = find_credentials(tmp_path / "none", kubelet)
    assert credentials is not None
    assert (credentials.server, credentials.ca, credentials.own) == ("https://192.0.2.10:6443", "CA", False)
    looks = iter([credentials, None])
    monkeypatch.setattr(agent_module, "find_credentials", lambda _: next(looks))
    monkeypatch.setattr(agent_module, "_POLL", 0)
    agent.follow(credentials, tmp_path)
    assert [plan.routes for plan in system.plans] == [{}]
    assert "10.244.0.0/24" in system.plans[0].conflist


def test_the_agents_own_credentials_refused_are_an_error(
    agent: Agent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(monkeypatch, ApiError(403, "forbidden"), [])
    with pytest.raises(ApiError, match="403"):
        agent.follow(own_credentials(tmp_path), tmp_path)


def test_no_credentials_before_the_host_has_joined(tmp_path: Path) -> None:
    assert find_credentials(tmp_path, tmp_path / "kubelet.conf") is None
    (tmp_path / "kubelet.conf").write_text("clusters: []\n")
    assert find_credentials(tmp_path, tmp_path / "kubelet.conf") is None


def test_a_directory_that_was_made_anew_ends_it_for_systemd_to_start_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The unit's mounts are of the directories that were there when it started."""
    (tmp_path / "config.json").write_text('{"node": "a", "subnets": []}')

    def read_only(_directory: Path) -> Credentials:
        raise OSError(errno.EROFS, "Read-only file system", "/etc/cni/net.d/x")

    monkeypatch.setattr(agent_module, "find_credentials", read_only)
    assert agent_module.main(tmp_path) == 1
