"""Fields of the CRI that change nothing, or are refused: neither silently (tests/cri_fields.yml)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from installer.lab.standard_images import BUSYBOX
from installer.verify.client import CriError
from pycri._generated import cri_pb2 as cri
from tests.support.control_node import control_node
from tests.support.cri_pods import Pods

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def pods(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pods]:
    with control_node(tmp_path_factory.mktemp("node")) as node:
        yield node.pods
        for pod in node.pods.pods():
            node.pods.remove_pod(pod)


@pytest.fixture(scope="module")
def pod(pods: Pods) -> str:
    return pods.run(hostname="web-0")


def test_windows_fields_are_refused(pods: Pods, pod: str) -> None:
    with pytest.raises(CriError, match=r"INVALID_ARGUMENT.*PodSandboxConfig\.windows.*Linux node"):
        pods.run(windows=cri.WindowsPodSandboxConfig())
    with pytest.raises(CriError, match=r"INVALID_ARGUMENT.*ContainerConfig\.windows.*Linux node"):
        pods.create(pod, "true", windows=cri.WindowsContainerConfig())
    container = pods.create(pod, "true")
    resources = cri.WindowsContainerResources(cpu_count=1)
    request = cri.UpdateContainerResourcesRequest(container_id=container, windows=resources)
    with pytest.raises(CriError, match=r"INVALID_ARGUMENT.*UpdateContainerResourcesRequest\.windows"):
        pods.runtime.UpdateContainerResources(request)


def test_metadata_names_a_pod(pods: Pods) -> None:
    whole = {"name": "n", "uid": "u", "namespace": "ns"}
    first = pods.run(cri.PodSandboxConfig(metadata=cri.PodSandboxMetadata(**whole)))
    for missing in whole:
        given = {key: value for key, value in whole.items() if key != missing}
        with pytest.raises(CriError, match="needs metadata with name, namespace and uid"):
            pods.run(cri.PodSandboxConfig(metadata=cri.PodSandboxMetadata(**given)))
        other = pods.run(cri.PodSandboxConfig(metadata=cri.PodSandboxMetadata(**{**whole, missing: "other"})))
        assert other != first
    second = pods.run(cri.PodSandboxConfig(metadata=cri.PodSandboxMetadata(**whole, attempt=1)))
    assert second != first
    assert pods.sandbox(second).metadata.attempt == 1


def test_a_pods_config_is_the_one_it_was_run_with(pods: Pods, pod: str) -> None:
    sandbox_config = cri.PodSandboxConfig(hostname="another", log_directory="/nonexistent")
    config = pods.container(pod, "sleep", "1000")
    request = cri.CreateContainerRequest(pod_sandbox_id=pod, config=config, sandbox_config=sandbox_config)
    container = pods.runtime.CreateContainer(request).container_id
    pods.runtime.StartContainer(cri.StartContainerRequest(container_id=container))
    assert pods.exec(container, "hostname").stdout == b"web-0\n"
    assert not pods.status(container).log_path.startswith("/nonexistent")


def test_the_image_spec_is_told_back(pods: Pods, pod: str) -> None:
    spec = cri.ImageSpec(
        image=BUSYBOX, annotations={"a": "b"}, user_specified_image="busybox", runtime_handler="runc"
    )
    told = pods.status(pods.create(pod, "true", image=spec)).image
    assert dict(told.annotations) == {"a": "b"}
    assert (told.user_specified_image, told.runtime_handler) == ("busybox", "runc")


def test_annotations_of_an_update_change_nothing(pods: Pods, pod: str) -> None:
    container = pods.create(pod, "true", annotations={"own": "1"})
    limits = cri.LinuxContainerResources(cpu_shares=512)
    request = cri.UpdateContainerResourcesRequest(
        container_id=container, linux=limits, annotations={"experiment": "1"}
    )
    pods.runtime.UpdateContainerResources(request)
    status = pods.status(container)
    assert dict(status.annotations) == {"own": "1"}
    assert status.resources.linux.cpu_shares == 512


@pytest.mark.parametrize("tty", [True, False])
def test_attach_goes_by_the_containers_own_terminal(pods: Pods, pod: str, tty: bool) -> None:
    container = pods.start(pod, "sleep", "1000", tty=tty)
    for claimed in (True, False):
        request = cri.AttachRequest(container_id=container, stdout=True, tty=claimed)
        assert pods.runtime.Attach(request).url.startswith("http://127.0.0.1:")


def test_a_pull_is_the_same_for_every_pod(pods: Pods) -> None:
    image = cri.ImageSpec(image=BUSYBOX)
    plain = pods.client.image.PullImage(cri.PullImageRequest(image=image)).image_ref
    request = cri.PullImageRequest(image=image, sandbox_config=pods.config(labels={"a": "b"}))
    assert pods.client.image.PullImage(request).image_ref == plain


def test_checkpoint_is_off_until_it_is_switched_on(pods: Pods, pod: str) -> None:
    container = pods.start(pod, "sleep", "1000")
    request = cri.CheckpointContainerRequest(container_id=container, location="/tmp/x.tar", timeout=5)
    with pytest.raises(CriError, match=r"FAILED_PRECONDITION.*enable_checkpoint = true"):
        pods.runtime.CheckpointContainer(request)
