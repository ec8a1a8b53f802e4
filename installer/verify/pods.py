"""Pods and containers that checks make: short to write, labelled, and removed whatever happens.

    with ctx.pod("hostname", hostname="web") as pod:
        container = pod.start(["sleep", "3600"])
        container.exec("hostname").stdout

Removing the pod removes its containers (CRI, RemovePodSandbox), so only pods are cleaned up.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from installer.verify.check import Failed
from installer.verify.client import CriClient, CriError
from installer.verify.waiting import wait_for
from pycri._generated import cri_pb2

if TYPE_CHECKING:
    from installer.verify.session import Session

LABEL = "io.nodestrap.verify"
"""On every pod and container of a run; its value is the run's id. ``--cleanup`` goes by it."""
NAMESPACE = "nodestrap-verify"

FOREVER = ("sh", "-c", "trap 'exit 0' TERM; while :; do sleep 3600 & wait $!; done")
"""A main process that ends at once when asked to, as PID 1 too."""


class Pod:
    """A running sandbox."""

    def __init__(self, session: Session, sandbox_id: str, config: Any) -> None:
        self.session = session
        self.id = sandbox_id
        self.config = config

    @property
    def status(self) -> Any:
        """The PodSandboxStatus now. Raises CriError."""
        request = cri_pb2.PodSandboxStatusRequest(pod_sandbox_id=self.id)
        return self.session.cri.runtime.PodSandboxStatus(request).status

    def create(
        self, command: Sequence[str] = FOREVER, *, name: str = "main", attempt: int = 0, **fields: Any
    ) -> Container:
        """CreateContainer from the run's image; `fields` are ContainerConfig's. Raises CriError."""
        fields.setdefault("labels", {})
        config = cri_pb2.ContainerConfig(
            metadata=cri_pb2.ContainerMetadata(name=name, attempt=attempt),
            image=cri_pb2.ImageSpec(image=self.session.image_id()),
            command=list(command),
            **{**fields, "labels": {LABEL: self.session.run_id, **fields["labels"]}},
        )
        context = config.linux.security_context
        if not context.HasField("namespace_options"):
            context.namespace_options.CopyFrom(self.config.linux.security_context.namespace_options)
        if self.config.log_directory and not config.log_path:
            config.log_path = f"{name}.log"
        request = cri_pb2.CreateContainerRequest(
            pod_sandbox_id=self.id, config=config, sandbox_config=self.config
        )
        container_id = self.session.cri.runtime.CreateContainer(request).container_id
        self.session.made_ids.add(container_id)
        return Container(self, container_id, config)

    def start(self, command: Sequence[str] = FOREVER, *, name: str = "main", **fields: Any) -> Container:
        """Create and start. Raises CriError."""
        container = self.create(command, name=name, **fields)
        container.start()
        return container

    @contextmanager
    def running(self, command: Sequence[str] = FOREVER, *, name: str, **fields: Any) -> Iterator[Container]:
        """Create and start; killed and removed on the way out. Raises CriError."""
        container = self.create(command, name=name, **fields)
        try:
            container.start()
            yield container
        finally:
            container.stop(timeout=0)
            container.remove()


class Container:
    """A container in a pod of the run."""

    def __init__(self, pod: Pod, container_id: str, config: Any) -> None:
        self.pod = pod
        self.id = container_id
        self.config = config
        self._runtime = pod.session.cri.runtime

    @property
    def log_path(self) -> str:
        """Where the log is on the host."""
        return f"{self.pod.config.log_directory}/{self.config.log_path}"

    @property
    def status(self) -> Any:
        """The ContainerStatus now. Raises CriError."""
        return self._runtime.ContainerStatus(cri_pb2.ContainerStatusRequest(container_id=self.id)).status

    def start(self) -> None:
        """StartContainer. Raises CriError."""
        self._runtime.StartContainer(cri_pb2.StartContainerRequest(container_id=self.id))

    def stop(self, timeout: int = 5) -> None:
        """StopContainer with `timeout` seconds of grace. Raises CriError."""
        self._runtime.StopContainer(cri_pb2.StopContainerRequest(container_id=self.id, timeout=timeout))

    def remove(self) -> None:
        """RemoveContainer. Raises CriError."""
        self._runtime.RemoveContainer(cri_pb2.RemoveContainerRequest(container_id=self.id))

    def exec(self, *command: str, timeout: int = 30) -> Any:
        """ExecSync; returns its response. Raises CriError."""
        request = cri_pb2.ExecSyncRequest(container_id=self.id, cmd=command, timeout=timeout)
        return self._runtime.ExecSync(request, timeout=timeout + 15.0)

    def output(self, *command: str) -> str:
        """The stdout of a command that must succeed. Raises Failed, CriError."""
        done = self.exec(*command)
        if done.exit_code != 0:
            raise Failed(
                f"{' '.join(command)} in the container: exit code {done.exit_code}: "
                f"{done.stderr.decode(errors='replace').strip()}"
            )
        return str(done.stdout.decode(errors="replace"))

    def wait_exited(self, timeout: float = 30.0) -> Any:
        """The ContainerStatus once it is CONTAINER_EXITED. Raises Failed, CriError."""

        def exited() -> Any:
            status = self.status
            return status if status.state == cri_pb2.CONTAINER_EXITED else None

        return wait_for(exited, "the container's end", timeout=timeout)


@contextmanager
def running_pod(session: Session, name: str, **fields: Any) -> Iterator[Pod]:
    """RunPodSandbox with `fields` of PodSandboxConfig; stopped and removed on the way out.

    A pod that cannot be removed is noted in ``session.leftovers`` and tried again at the end of the run.
    Raises CriError.
    """
    session.kubelet.get()
    config = pod_config(session, name, **fields)
    request = cri_pb2.RunPodSandboxRequest(config=config, runtime_handler=session.options.runtime_handler)
    session.pods_asked_for = True  # from here on one may exist, whatever the answer
    sandbox_id = session.cri.runtime.RunPodSandbox(request).pod_sandbox_id
    session.made_ids.add(sandbox_id)
    try:
        yield Pod(session, sandbox_id, config)
    finally:
        try:
            remove_pod(session.cleaner, sandbox_id)
        except CriError as error:
            session.leftovers.append(f"pod {name} ({sandbox_id[:13]}): {error}")


def pod_config(session: Session, name: str, **fields: Any) -> Any:
    """A PodSandboxConfig as the kubelet would fill it in, with `fields` on top."""
    fields.setdefault("labels", {})
    config = cri_pb2.PodSandboxConfig(
        metadata=cri_pb2.PodSandboxMetadata(
            name=f"{name}-{session.run_id}", uid=str(uuid.uuid4()), namespace=NAMESPACE
        ),
        **{**fields, "labels": {LABEL: session.run_id, **fields["labels"]}},
    )
    context = config.linux.security_context
    if not context.HasField("namespace_options"):
        context.namespace_options.pid = cri_pb2.CONTAINER  # what the kubelet asks for unless told otherwise
    if session.host.refusal is None:  # only what can be removed again is made
        config.log_directory = config.log_directory or session.host_directory(f"logs/{name}")
        config.linux.cgroup_parent = config.linux.cgroup_parent or session.cgroup_parent.get()
    return config


def remove_pod(cri: CriClient, sandbox_id: str) -> None:
    """StopPodSandbox and RemovePodSandbox. Raises CriError."""
    cri.runtime.StopPodSandbox(cri_pb2.StopPodSandboxRequest(pod_sandbox_id=sandbox_id))
    cri.runtime.RemovePodSandbox(cri_pb2.RemovePodSandboxRequest(pod_sandbox_id=sandbox_id))
