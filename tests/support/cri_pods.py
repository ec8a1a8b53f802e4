"""Pods and containers over the CRI, in a few words, for integration tests of the control process."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import Any

from installer.lab.standard_images import BUSYBOX
from installer.verify.client import CriClient
from pycri._generated import cri_pb2 as cri

_numbers = itertools.count()


class Pods:
    """A CRI client with defaults for what a test does not care about."""

    def __init__(self, client: CriClient, log_directory: str, cgroup_parent: str = "") -> None:
        self.client = client
        self.runtime = client.runtime
        self.log_directory = log_directory
        self.cgroup_parent = cgroup_parent

    def pull(self, image: str = BUSYBOX) -> None:
        self.client.image.PullImage(cri.PullImageRequest(image=cri.ImageSpec(image=image)))

    def config(self, **fields: Any) -> cri.PodSandboxConfig:
        """A sandbox config nobody has used yet."""
        number = next(_numbers)
        config = cri.PodSandboxConfig(
            metadata=cri.PodSandboxMetadata(name=f"pod{number}", uid=f"uid{number}", namespace="test"),
            log_directory=f"{self.log_directory}/pod{number}",
            **fields,
        )
        if self.cgroup_parent and not config.linux.cgroup_parent:
            config.linux.cgroup_parent = self.cgroup_parent
        return config

    def run(self, config: cri.PodSandboxConfig | None = None, **fields: Any) -> str:
        request = cri.RunPodSandboxRequest(config=config or self.config(**fields))
        return str(self.runtime.RunPodSandbox(request).pod_sandbox_id)

    def container(self, pod: str, *command: str, **fields: Any) -> cri.ContainerConfig:
        name = f"c{next(_numbers)}"
        given = {"metadata": cri.ContainerMetadata(name=name), "log_path": f"{name}.log"}
        image = cri.ImageSpec(image=BUSYBOX)
        return cri.ContainerConfig(**{**given, "image": image, "command": command, **fields})

    def create(self, pod: str, *command: str, **fields: Any) -> str:
        config = fields.pop("config", None) or self.container(pod, *command, **fields)
        sandbox = cri.PodSandboxConfig()
        request = cri.CreateContainerRequest(pod_sandbox_id=pod, config=config, sandbox_config=sandbox)
        return str(self.runtime.CreateContainer(request).container_id)

    def start(self, pod: str, *command: str, **fields: Any) -> str:
        """Create and start."""
        container = self.create(pod, *command, **fields)
        self.runtime.StartContainer(cri.StartContainerRequest(container_id=container))
        return container

    def exec(self, container: str, *command: str, timeout: int = 10) -> cri.ExecSyncResponse:
        request = cri.ExecSyncRequest(container_id=container, cmd=command, timeout=timeout)
        response: cri.ExecSyncResponse = self.runtime.ExecSync(request)
        return response

    def status(self, container: str) -> cri.ContainerStatus:
        request = cri.ContainerStatusRequest(container_id=container)
        status: cri.ContainerStatus = self.runtime.ContainerStatus(request).status
        return status

    def sandbox(self, pod: str) -> cri.PodSandboxStatus:
        request = cri.PodSandboxStatusRequest(pod_sandbox_id=pod)
        status: cri.PodSandboxStatus = self.runtime.PodSandboxStatus(request).status
        return status

    def stop(self, container: str, timeout: int = 0) -> None:
        self.runtime.StopContainer(cri.StopContainerRequest(container_id=container, timeout=timeout))

    def remove_pod(self, pod: str) -> None:
        self.runtime.StopPodSandbox(cri.StopPodSandboxRequest(pod_sandbox_id=pod))
        self.runtime.RemovePodSandbox(cri.RemovePodSandboxRequest(pod_sandbox_id=pod))

    def pods(self) -> list[str]:
        return [item.id for item in self.runtime.ListPodSandbox(cri.ListPodSandboxRequest()).items]

    def conditions(self) -> dict[str, cri.RuntimeCondition]:
        found = self.runtime.Status(cri.StatusRequest()).status.conditions
        return {condition.type: condition for condition in found}

    def await_exit(self, container: str, timeout: float = 20.0) -> cri.ContainerStatus:
        await_true(lambda: self.status(container).state == cri.CONTAINER_EXITED, timeout)
        return self.status(container)


def await_true(condition: Callable[[], bool], timeout: float = 20.0) -> None:
    """Return once ``condition`` holds; AssertionError after ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout:g} s: {condition}"
        time.sleep(0.02)
