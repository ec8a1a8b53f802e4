"""Each check fails when the runtime is wrong: a proxy before containerd's CRI spoils one answer at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest

from installer.lab.registry import Registry
from installer.lab.standard_images import PAUSE, push_standard_images
from installer.verify import Outcome, run_tiers
from installer.verify.client import CriClient, CriError
from pycri._generated import cri_pb2
from tests.support.containerd import ContainerdHost
from tests.unit.installer.verify.fake_cri import FakeCri, Refused

pytestmark = pytest.mark.integration

Spoil = Callable[[Any, Any], None]
"""Takes the request and the answer, and changes the answer; or raises Refused."""


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
        yield host


def forwarding(client: CriClient, spoilt: dict[str, Spoil]) -> dict[str, Callable[[Any], Any]]:
    """Answers for every method: the real ones, spoilt where asked."""

    def forward(name: str, call: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def answer(request: Any) -> Any:
            try:
                response = call(request)
            except CriError as error:
                raise Refused(grpc.StatusCode[error.code], error.details) from error
            if name in spoilt:
                spoilt[name](request, response)
            return response

        return answer

    services = {"RuntimeService": client.runtime, "ImageService": client.image}
    return {
        method.name: forward(method.name, getattr(services[service.name], method.name))
        for service in cri_pb2.DESCRIPTOR.services_by_name.values()
        for method in service.methods
        if not method.server_streaming
    }


def clear(path: str) -> Spoil:
    """Clear a field of the answer, given as ``a.b.c``."""

    def spoil(_request: Any, response: Any) -> None:
        *parents, last = path.split(".")
        for name in parents:
            response = getattr(response, name)
        response.ClearField(last)

    return spoil


def put(path: str, value: Any) -> Spoil:
    """Set a field of the answer."""

    def spoil(_request: Any, response: Any) -> None:
        *parents, last = path.split(".")
        for name in parents:
            response = getattr(response, name)
        setattr(response, last, value)

    return spoil


def refuse(code: grpc.StatusCode, after: int = 0) -> Spoil:
    """Refuse every call after the first `after` ones."""
    calls = 0

    def spoil(_request: Any, _response: Any) -> None:
        nonlocal calls
        calls += 1
        if calls > after:
            raise Refused(code, "spoilt")

    return spoil


def exec_output(old: bytes, new: bytes) -> Spoil:
    def spoil(_request: Any, response: Any) -> None:
        response.stdout = response.stdout.replace(old, new)

    return spoil


def always_listed(_request: Any, response: Any) -> None:
    response.items.add(id="f" * 64)


def unlisted(_request: Any, response: Any) -> None:
    del response.containers[:]


@pytest.mark.parametrize(
    ("check", "method", "spoil", "why"),
    [
        ("image.pull-tag", "PullImage", clear("image_ref"), "image_ref is empty"),
        ("image.pull-tag", "ImageStatus", put("image.size", 0), "size is 0"),
        ("image.pull-digest", "ImageStatus", clear("image.repo_digests"), "repo_digests are []"),
        ("image.absent", "RemoveImage", refuse(grpc.StatusCode.NOT_FOUND), "NOT_FOUND"),
        ("image.fs-info", "ImageFsInfo", clear("image_filesystems"), "no image_filesystems"),
        ("image.remove", "RemoveImage", refuse(grpc.StatusCode.NOT_FOUND, after=1), "NOT_FOUND"),
        ("pod.run", "PodSandboxStatus", clear("status.network"), "does not appear to be an IP"),
        ("pod.run", "PodSandboxStatus", put("status.created_at", 1700000000), "not nanoseconds"),
        ("pod.list", "ListPodSandbox", always_listed, "the list by id is"),
        (
            "pod.network",
            "PodSandboxStatus",
            put("status.network.ip", "192.0.2.1"),
            "has no address 192.0.2.1",
        ),
        ("pod.hostname", "ExecSync", exec_output(b"verify-host", b"pod"), "hostname, /etc/hostname"),
        ("pod.resolv-conf", "ExecSync", exec_output(b"ndots", b"timeout"), "/etc/resolv.conf"),
        ("pod.idempotent", "StopPodSandbox", refuse(grpc.StatusCode.INTERNAL, after=1), "INTERNAL"),
        ("pod.idempotent", "RemovePodSandbox", refuse(grpc.StatusCode.NOT_FOUND, after=1), "NOT_FOUND"),
        ("container.lifecycle", "ContainerStatus", put("status.exit_code", 0), "exit_code is 0"),
        ("container.lifecycle", "ContainerStatus", put("status.finished_at", 1), "not nanoseconds"),
        ("container.exec", "ExecSync", clear("exit_code"), "exit_code is 0"),
        ("container.exec", "ExecSync", clear("stderr"), "stderr is b''"),
        ("container.exec-timeout", "ExecSync", refuse(grpc.StatusCode.INTERNAL), "INTERNAL"),
        ("container.list", "ListContainers", unlisted, "not in the whole list"),
        ("container.mounts", "ContainerStatus", clear("status.mounts"), "ContainerStatus.mounts"),
        ("container.stop", "StopContainer", refuse(grpc.StatusCode.NOT_FOUND, after=2), "NOT_FOUND"),
        ("container.stop", "ContainerStatus", put("status.exit_code", 0), "exit code of one that was killed"),
        ("log.reopen", "ReopenContainerLog", refuse(grpc.StatusCode.UNIMPLEMENTED), "UNIMPLEMENTED"),
        ("stats.container", "ContainerStats", clear("stats.memory"), "working_set_bytes is 0"),
        ("stats.pod", "PodSandboxStats", clear("stats.linux.network"), "default_interface has no name"),
        ("stream.exec", "Exec", put("url", "http://127.0.0.1:1/exec/x"), "no connection"),
    ],
)
def test_a_spoilt_answer_fails_its_check(
    containerd: ContainerdHost, check: str, method: str, spoil: Spoil, why: str
) -> None:
    client = CriClient(f"unix://{containerd.address}")
    try:
        with FakeCri(forwarding(client, {method: spoil})) as proxy:
            report = run_tiers(proxy.address, (1,), patterns=[check])
    finally:
        client.close()
    (result,) = report.results
    assert result.outcome is Outcome.FAILED, result
    assert why in result.evidence


def test_an_honest_proxy_changes_nothing(containerd: ContainerdHost) -> None:
    client = CriClient(f"unix://{containerd.address}")
    try:
        with FakeCri(forwarding(client, {})) as proxy:
            report = run_tiers(proxy.address, (1,))
    finally:
        client.close()
    assert [result for result in report.results if result.outcome is Outcome.FAILED] == []
    assert report.leftovers == []


def test_streaming_that_is_not_served_is_skipped_and_says_so(containerd: ContainerdHost) -> None:
    client = CriClient(f"unix://{containerd.address}")
    missing_checks = ["stream.attach", "stream.port-forward"]
    missing = {name: refuse(grpc.StatusCode.UNIMPLEMENTED) for name in ("Attach", "PortForward")}
    try:
        with FakeCri(forwarding(client, missing)) as proxy:
            report = run_tiers(proxy.address, (1,), patterns=["stream.exec", *missing_checks])
    finally:
        client.close()
    outcomes = {result.id: result for result in report.results}
    assert outcomes["stream.exec"].outcome is Outcome.PASSED
    for check, method in (("stream.attach", "Attach"), ("stream.port-forward", "PortForward")):
        assert outcomes[check].outcome is Outcome.SKIPPED
        assert outcomes[check].evidence == f"the endpoint does not serve {method}"
