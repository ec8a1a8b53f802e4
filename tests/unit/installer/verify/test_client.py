"""The client: built from descriptors, both API packages, errors and interrupts."""

from __future__ import annotations

import threading
from typing import Any

import grpc
import pytest

from installer.verify.client import V1, V1ALPHA2, Cancelled, CriClient, CriError
from pycri._generated import cri_pb2
from tests.unit.installer.verify.fake_cri import READY, FakeCri, Refused, version


def test_speaks_v1_where_it_is_served() -> None:
    with FakeCri({"Version": version}) as cri:
        client = CriClient(cri.address)
        assert client.negotiate().runtime_name == "fake"
        assert client.api == V1
        client.close()


def test_falls_back_to_v1alpha2() -> None:
    with FakeCri({"Version": version, "Status": READY}, api=V1ALPHA2) as cri:
        client = CriClient(cri.address)
        client.negotiate()
        assert client.api == V1ALPHA2
        assert len(client.runtime.Status(cri_pb2.StatusRequest()).status.conditions) == 2
        client.close()


def test_a_status_becomes_an_error_with_its_method() -> None:
    def refuse(_request: Any) -> Any:
        raise Refused(grpc.StatusCode.NOT_FOUND, "no such pod")

    with FakeCri({"StopPodSandbox": refuse}) as cri:
        client = CriClient(cri.address)
        with pytest.raises(CriError, match="StopPodSandbox: NOT_FOUND: no such pod") as caught:
            client.runtime.StopPodSandbox(cri_pb2.StopPodSandboxRequest())
        assert caught.value.code == "NOT_FOUND"
        client.close()


def test_what_is_not_served_is_unimplemented() -> None:
    with FakeCri({}) as cri:
        client = CriClient(cri.address)
        with pytest.raises(CriError) as caught:
            client.image.ListImages(cri_pb2.ListImagesRequest())
        assert caught.value.code == "UNIMPLEMENTED"
        client.close()


def test_an_unknown_method_is_a_mistake_of_ours() -> None:
    client = CriClient("unix:///nowhere")
    with pytest.raises(AttributeError, match="RunPod"):
        client.runtime.RunPod(None)
    client.close()


def test_streams_yield_and_translate_errors() -> None:
    def events(_request: Any) -> Any:
        yield cri_pb2.ContainerEventResponse(container_id="a")
        yield cri_pb2.ContainerEventResponse(container_id="b")

    with FakeCri({"GetContainerEvents": events}) as cri:
        client = CriClient(cri.address)
        found = [each.container_id for each in client.runtime.GetContainerEvents(cri_pb2.GetEventsRequest())]
        assert found == ["a", "b"]
        with pytest.raises(CriError, match="StreamImages: UNIMPLEMENTED"):
            list(client.image.StreamImages(cri_pb2.StreamImagesRequest()))
        client.close()


def test_an_interrupt_ends_the_call_under_way_and_spares_the_cleaner() -> None:
    entered, release = threading.Event(), threading.Event()

    def hang(_request: Any) -> Any:
        entered.set()
        release.wait(20)
        return cri_pb2.StatusResponse()

    with FakeCri({"Status": hang, "Version": version}) as cri:
        client = CriClient(cri.address)
        cleaner = client.uninterrupted()
        caught: list[BaseException] = []

        def call() -> None:
            try:
                client.runtime.Status(cri_pb2.StatusRequest())
            except Cancelled as error:
                caught.append(error)

        thread = threading.Thread(target=call)
        thread.start()
        assert entered.wait(10)
        client.cancel()
        thread.join(10)
        release.set()
        assert len(caught) == 1
        with pytest.raises(Cancelled):
            client.runtime.Version(cri_pb2.VersionRequest())
        assert cleaner.runtime.Version(cri_pb2.VersionRequest()).runtime_name == "fake"
        client.close()


def test_an_interrupt_waits_for_a_containers_start() -> None:
    entered, release = threading.Event(), threading.Event()

    def start(_request: Any) -> Any:
        entered.set()
        release.wait(20)
        return cri_pb2.StartContainerResponse()

    with FakeCri({"StartContainer": start, "Version": version}) as cri:
        client = CriClient(cri.address)
        done: list[object] = []
        thread = threading.Thread(
            target=lambda: done.append(client.runtime.StartContainer(cri_pb2.StartContainerRequest()))
        )
        thread.start()
        assert entered.wait(10)
        client.cancel()
        release.set()
        thread.join(10)
        assert done == [cri_pb2.StartContainerResponse()]
        with pytest.raises(Cancelled):
            client.runtime.Version(cri_pb2.VersionRequest())
        client.close()
