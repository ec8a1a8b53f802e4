"""What is measured: one pod's life, many pods at once, lists of many containers, image pulls, idle cost."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from installer.bench import resources
from installer.bench.samples import Samples
from installer.verify.client import CriClient
from installer.verify.pods import FOREVER, remove_pod
from pycri._generated import cri_pb2

LABEL = "io.nodestrap.bench"
# A side may answer with statistics that are a second old: a call sooner would measure its memory only.
STATS_INTERVAL = 1.05


class Side:
    """One endpoint under measurement; ``index`` 0 is ours, 1 the one it is compared with."""

    def __init__(self, index: int, target: str, image: str, processes: Sequence[int] = ()) -> None:
        """``processes`` are pids of this machine whose memory and CPU are the endpoint's."""
        self.index = index
        self.processes = tuple(processes)
        self.cri = CriClient(target)
        self.cri.negotiate()
        self.image = image
        self.runtime_handler = ""

    def pod_config(self, name: str) -> Any:
        return cri_pb2.PodSandboxConfig(
            metadata=cri_pb2.PodSandboxMetadata(name=name, uid=str(uuid.uuid4()), namespace="bench"),
            labels={LABEL: "1"},
            linux=cri_pb2.LinuxPodSandboxConfig(),
        )

    def run_pod(self, config: Any) -> str:
        request = cri_pb2.RunPodSandboxRequest(config=config, runtime_handler=self.runtime_handler)
        return str(self.cri.runtime.RunPodSandbox(request).pod_sandbox_id)

    def create(self, pod_id: str, pod_config: Any, name: str) -> str:
        config = cri_pb2.ContainerConfig(
            metadata=cri_pb2.ContainerMetadata(name=name),
            image=cri_pb2.ImageSpec(image=self.image),
            command=list(FOREVER),
            labels={LABEL: "1"},
        )
        request = cri_pb2.CreateContainerRequest(
            pod_sandbox_id=pod_id, config=config, sandbox_config=pod_config
        )
        return str(self.cri.runtime.CreateContainer(request).container_id)

    def start(self, container_id: str) -> None:
        self.cri.runtime.StartContainer(cri_pb2.StartContainerRequest(container_id=container_id))

    def pull(self, image: str) -> None:
        request = cri_pb2.PullImageRequest(image=cri_pb2.ImageSpec(image=image))
        self.cri.image.PullImage(request)

    def remove_image(self, image: str) -> None:
        request = cri_pb2.RemoveImageRequest(image=cri_pb2.ImageSpec(image=image))
        self.cri.image.RemoveImage(request)

    def clean_up(self) -> None:
        """Remove every pod that a benchmark made here, also an earlier one."""
        listed = self.cri.runtime.ListPodSandbox(
            cri_pb2.ListPodSandboxRequest(filter=cri_pb2.PodSandboxFilter(label_selector={LABEL: "1"}))
        )
        containers = self.cri.runtime.ListContainers(
            cri_pb2.ListContainersRequest(filter=cri_pb2.ContainerFilter(label_selector={LABEL: "1"}))
        ).containers
        with ThreadPoolExecutor(max_workers=8) as pool:
            # one by one: an endpoint may not manage a pod of a thousand containers within one call's deadline
            list(pool.map(lambda container: self._remove_container(container.id), containers))
            list(pool.map(lambda pod: remove_pod(self.cri, pod.id), listed.items))

    def _remove_container(self, container_id: str) -> None:
        self.cri.runtime.RemoveContainer(cri_pb2.RemoveContainerRequest(container_id=container_id))


def one_pod(side: Side, samples: Samples, number: int) -> None:
    """A pod with one container from start to removal, every RPC timed."""
    runtime, index = side.cri.runtime, side.index
    config = side.pod_config(f"one-{number}")
    with samples.time(index, "RunPodSandbox"):
        pod = side.run_pod(config)
    began = time.perf_counter()
    with samples.time(index, "CreateContainer"):
        container = side.create(pod, config, "main")
    with samples.time(index, "StartContainer"):
        side.start(container)
    samples.add(index, "Create+StartContainer", time.perf_counter() - began)
    with samples.time(index, "ExecSync"):
        runtime.ExecSync(cri_pb2.ExecSyncRequest(container_id=container, cmd=["true"], timeout=10))
    began = time.perf_counter()
    with samples.time(index, "StopContainer"):
        runtime.StopContainer(cri_pb2.StopContainerRequest(container_id=container, timeout=10))
    with samples.time(index, "RemoveContainer"):
        runtime.RemoveContainer(cri_pb2.RemoveContainerRequest(container_id=container))
    # which of the two waits for the shim's cleaning up is each side's choice
    samples.add(index, "Stop+RemoveContainer", time.perf_counter() - began)
    with samples.time(index, "StopPodSandbox"):
        runtime.StopPodSandbox(cri_pb2.StopPodSandboxRequest(pod_sandbox_id=pod))
    with samples.time(index, "RemovePodSandbox"):
        runtime.RemovePodSandbox(cri_pb2.RemovePodSandboxRequest(pod_sandbox_id=pod))


def burst(side: Side, samples: Samples, pods: int) -> None:
    """``pods`` pods asked for at once, as a rescheduled node's kubelet does."""
    with ThreadPoolExecutor(max_workers=pods) as pool:

        def start(number: int) -> str:
            config = side.pod_config(f"burst-{number}")
            pod = side.run_pod(config)
            side.start(side.create(pod, config, "main"))
            return pod

        with samples.time(side.index, f"all pods running, {pods}"):
            ids = list(pool.map(start, range(pods)))
        with samples.time(side.index, f"all pods stopped, {pods}"):
            list(pool.map(lambda pod: _stop(side, pod), ids))
        with samples.time(side.index, f"all pods removed, {pods}"):
            list(pool.map(lambda pod: _remove(side, pod), ids))


def lists(sides: Sequence[Side], samples: Samples, containers: int, rounds: int) -> None:
    """List RPCs with ``containers`` created containers on each side, the sides in turn."""
    for side in sides:
        config = side.pod_config("lists")
        pod = side.run_pod(config)
        with ThreadPoolExecutor(max_workers=8) as pool:
            list(pool.map(lambda n, s=side, p=pod, c=config: s.create(p, c, f"c{n}"), range(containers)))
    for _ in range(rounds):
        for side in sides:
            with samples.time(side.index, f"ListContainers of {containers}"):
                listed = side.cri.runtime.ListContainers(cri_pb2.ListContainersRequest())
            if len(listed.containers) < containers:
                raise RuntimeError(f"{side.cri.target} lists {len(listed.containers)} of {containers}")
            with samples.time(side.index, "round trip (one pod listed)"):
                side.cri.runtime.ListPodSandbox(cri_pb2.ListPodSandboxRequest())
    for side in sides:
        side.clean_up()


def sandbox_lists(sides: Sequence[Side], samples: Samples, sandboxes: int, rounds: int) -> None:
    """ListPodSandbox with ``sandboxes`` on each side, the sides in turn.

    They have the host's network and are stopped, not removed: listed all the same, and nothing of them runs.
    """
    for side in sides:

        def ended(number: int, side: Side = side) -> None:
            config = side.pod_config(f"listed-{number}")
            config.linux.security_context.namespace_options.network = cri_pb2.NODE
            _stop(side, side.run_pod(config))

        with ThreadPoolExecutor(max_workers=8) as pool:
            list(pool.map(ended, range(sandboxes)))
    for _ in range(rounds):
        for side in sides:
            with samples.time(side.index, f"ListPodSandbox of {sandboxes}"):
                listed = side.cri.runtime.ListPodSandbox(cri_pb2.ListPodSandboxRequest())
            if len(listed.items) < sandboxes:
                raise RuntimeError(f"{side.cri.target} lists {len(listed.items)} of {sandboxes} sandboxes")
    for side in sides:
        side.clean_up()


def running(sides: Sequence[Side], samples: Samples, pods: int, rounds: int) -> None:
    """ListContainerStats, memory and idle CPU with one running container in each of ``pods`` pods."""
    for side in sides:

        def start(number: int, side: Side = side) -> None:
            config = side.pod_config(f"stats-{number}")
            side.start(side.create(side.run_pod(config), config, "main"))

        with ThreadPoolExecutor(max_workers=8) as pool:
            list(pool.map(start, range(pods)))
    resources.idle(sides, samples, pods)
    for number in range(rounds):
        for side in sides if number % 2 == 0 else reversed(sides):
            with samples.time(side.index, f"ListContainerStats of {pods}"):
                found = side.cri.runtime.ListContainerStats(cri_pb2.ListContainerStatsRequest())
            if len(found.stats) < pods:
                raise RuntimeError(f"{side.cri.target} has stats of {len(found.stats)} of {pods} containers")
        time.sleep(STATS_INTERVAL)
    for side in sides:
        side.clean_up()


def pull(side: Side, sides: Sequence[Side], samples: Samples, image: str) -> None:
    """Pull an image that neither side has: two endpoints on one containerd share its content."""
    for each in sides:
        each.remove_image(image)
    with samples.time(side.index, f"PullImage {image.rpartition('/')[2].partition(':')[0]}"):
        side.pull(image)


def _stop(side: Side, pod: str) -> None:
    side.cri.runtime.StopPodSandbox(cri_pb2.StopPodSandboxRequest(pod_sandbox_id=pod))


def _remove(side: Side, pod: str) -> None:
    side.cri.runtime.RemovePodSandbox(cri_pb2.RemovePodSandboxRequest(pod_sandbox_id=pod))
