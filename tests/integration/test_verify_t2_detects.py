"""Tier 2 notices what a runtime leaves out: a proxy before pycri drops or distorts what checks ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest

from installer.verify import Outcome, run_tiers
from installer.verify.client import CriClient, CriError
from pycri._generated import cri_pb2 as cri
from tests.support.containerd import ContainerdHost
from tests.support.pycri import PycriHost, mirrored_registry
from tests.unit.installer.verify.fake_cri import FakeCri, Refused

pytestmark = pytest.mark.integration

UNNOTICED = {
    # what no kernel here has
    *("container.apparmor", "container.selinux", "container.hugepages", "container.unified"),
    # would need a runtime that is wrong in itself
    *("pod.namespaces", "image.stream", "image.pull-errors", "api.update-config", "api.v1alpha2"),
    "stream.token-once",
    # would wait in vain for many seconds
    *("pod.port-mappings", "container.stdin-once"),
}
"""All others must fail before this proxy."""


def run_pod_sandbox(request: Any) -> None:
    request.runtime_handler = ""
    if not request.config.metadata.name:
        request.config.metadata.CopyFrom(cri.PodSandboxMetadata(name="refused", uid="u", namespace="n"))
    request.config.dns_config.servers.append("192.0.2.99")
    linux = request.config.linux
    linux.sysctls.clear()
    linux.cgroup_parent = ""
    linux.security_context.Clear()
    linux.security_context.namespace_options.pid = cri.CONTAINER


def create_container(request: Any) -> None:
    config = request.config
    config.metadata.attempt = 0
    config.linux.Clear()
    config.linux.security_context.namespace_options.pid = cri.CONTAINER
    config.linux.security_context.capabilities.add_capabilities.append("SYS_TIME")
    for name in ("args", "mounts", "devices", "CDI_devices", "tty", "stop_signal"):
        config.ClearField(name)


def update(request: Any) -> None:
    request.linux.Clear()


def not_verbose(request: Any) -> None:
    request.verbose = False


def unfiltered(request: Any) -> None:
    request.ClearField("filter")


def other_command(request: Any) -> None:
    if request.tty or request.stdin:
        request.cmd[:] = ["true"]


REQUESTS: dict[str, Callable[[Any], None]] = {
    "RunPodSandbox": run_pod_sandbox,
    "CreateContainer": create_container,
    "UpdateContainerResources": update,
    "ContainerStatus": not_verbose,
    "ListContainerStats": unfiltered,
    "StreamContainers": unfiltered,
    "Exec": other_command,
}


def status(_request: Any, response: Any) -> None:
    for handler in response.runtime_handlers:
        handler.name = handler.name or "other"


def image_status(request: Any, response: Any) -> None:
    if "/" not in request.image.image and ":" not in request.image.image:
        response.image.id = "sha256:" + "0" * 64
    response.image.uid.value = 77


def list_images(_request: Any, response: Any) -> None:
    for image in response.images:
        image.pinned = False


def descriptors(_request: Any, response: Any) -> None:
    for each in response.descriptors:
        del each.label_keys[:1]


def event(response: Any) -> None:
    del response.containers_statuses[:]


RESPONSES: dict[str, Callable[[Any, Any], None]] = {
    "Status": status,
    "ImageStatus": image_status,
    "ListImages": list_images,
    "ListMetricDescriptors": descriptors,
}


def forwarding(client: CriClient) -> dict[str, Callable[[Any], Any]]:
    """Every RPC, its request and its answer spoilt."""

    def forward(name: str, call: Callable[[Any], Any], streams: bool) -> Callable[[Any], Any]:
        def answer(request: Any) -> Any:
            REQUESTS.get(name, lambda _: None)(request)
            try:
                response = call(request)
            except CriError as error:
                code = "UNKNOWN" if error.code == "NOT_FOUND" else error.code
                raise Refused(grpc.StatusCode[code], error.details) from error
            RESPONSES.get(name, lambda *_: None)(request, response)
            return response

        def stream(request: Any) -> Iterator[Any]:
            REQUESTS.get(name, lambda _: None)(request)
            try:
                for part in call(request):
                    if name == "GetContainerEvents":
                        event(part)
                    yield part
            except CriError:
                return  # the deadline of a stream without an end

        return stream if streams else answer

    services = {"RuntimeService": client.runtime, "ImageService": client.image}
    return {
        method.name: forward(
            method.name, getattr(services[service.name], method.name), method.server_streaming
        )
        for service in cri.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    }


def test_what_is_left_out_is_noticed(tmp_path_factory: pytest.TempPathFactory) -> None:
    with (
        ContainerdHost(portmap=True) as containerd,
        mirrored_registry(containerd, tmp_path_factory.mktemp("registry")),
        PycriHost(containerd) as node,
    ):
        client = node.client()
        with FakeCri(forwarding(client)) as proxy:
            report = run_tiers(proxy.address, (2,))
        client.close()
    for each in report.results:
        print(f"{each.outcome.value} {each.id} {each.seconds:.2f} s {each.evidence[:150]}")
    passed = {each.id for each in report.results if each.outcome is not Outcome.FAILED}
    assert passed <= UNNOTICED
    assert not [each.evidence for each in report.results if "the check itself broke" in each.evidence]
    assert report.exit_code == 9
