"""containerd's tasks: the running side of containers, and processes executed in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from google.protobuf.empty_pb2 import Empty

from pycri._generated import containerd_tasks_pb2 as pb
from pycri.containerd.connection import Connection

if TYPE_CHECKING:
    from google.protobuf.any_pb2 import Any

    from pycri._generated.containerd_task_types_pb2 import Process, ProcessInfo
    from pycri._generated.containerd_types_pb2 import Descriptor, Metric, Mount

_SERVICE = pb.DESCRIPTOR.services_by_name["Tasks"]


class Tasks:
    """An empty ``exec_id`` means the container's first process."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def create(
        self,
        container_id: str,
        *,
        rootfs: Iterable[Mount] = (),
        stdin: str = "",
        stdout: str = "",
        stderr: str = "",
        terminal: bool = False,
        options: Any | None = None,
        runtime_path: str = "",
    ) -> int:
        """Create the task (shim and ``runc create``) and return its pid; the process waits for ``start``.

        ``stdin``, ``stdout`` and ``stderr`` are paths of FIFOs or URIs; ``options`` a packed runc Options.
        """
        request = pb.CreateTaskRequest(
            container_id=container_id,
            rootfs=rootfs,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            terminal=terminal,
            options=options,
            runtime_path=runtime_path,
        )
        reply = await self._connection.unary(_SERVICE, "Create", request, pb.CreateTaskResponse)
        return reply.pid

    async def start(self, container_id: str, exec_id: str = "") -> int:
        """Start the created process; its pid."""
        request = pb.StartRequest(container_id=container_id, exec_id=exec_id)
        return (await self._connection.unary(_SERVICE, "Start", request, pb.StartResponse)).pid

    async def delete(self, container_id: str) -> pb.DeleteResponse:
        """Delete a stopped task and its shim's state; exit status and time are in the reply."""
        request = pb.DeleteTaskRequest(container_id=container_id)
        return await self._connection.unary(_SERVICE, "Delete", request, pb.DeleteResponse)

    async def delete_exec(self, container_id: str, exec_id: str) -> pb.DeleteResponse:
        request = pb.DeleteProcessRequest(container_id=container_id, exec_id=exec_id)
        return await self._connection.unary(_SERVICE, "DeleteProcess", request, pb.DeleteResponse)

    async def get(self, container_id: str, exec_id: str = "") -> Process:
        request = pb.GetRequest(container_id=container_id, exec_id=exec_id)
        return (await self._connection.unary(_SERVICE, "Get", request, pb.GetResponse)).process

    async def list(self) -> Sequence[Process]:
        """Every task of the namespace with its present state (one call to each shim)."""
        reply = await self._connection.unary(_SERVICE, "List", pb.ListTasksRequest(), pb.ListTasksResponse)
        return [*reply.tasks]

    async def kill(self, container_id: str, signal: int, *, exec_id: str = "", all: bool = False) -> None:  # noqa: A002
        """Send ``signal``; with ``all``, to every process of the container. NotFound if it has ended."""
        request = pb.KillRequest(container_id=container_id, exec_id=exec_id, signal=signal, all=all)
        await self._connection.unary(_SERVICE, "Kill", request, Empty)

    async def exec(
        self,
        container_id: str,
        exec_id: str,
        process: Any,
        *,
        stdin: str = "",
        stdout: str = "",
        stderr: str = "",
        terminal: bool = False,
    ) -> None:
        """Add a process (an OCI process, packed as JSON) to the task; ``start`` runs it."""
        request = pb.ExecProcessRequest(
            container_id=container_id,
            exec_id=exec_id,
            spec=process,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            terminal=terminal,
        )
        await self._connection.unary(_SERVICE, "Exec", request, Empty)

    async def wait(self, container_id: str, exec_id: str = "") -> pb.WaitResponse:
        """Return when the process has ended, with its exit status and time."""
        request = pb.WaitRequest(container_id=container_id, exec_id=exec_id)
        return await self._connection.unary(_SERVICE, "Wait", request, pb.WaitResponse)

    async def resize_pty(self, container_id: str, width: int, height: int, exec_id: str = "") -> None:
        request = pb.ResizePtyRequest(container_id=container_id, exec_id=exec_id, width=width, height=height)
        await self._connection.unary(_SERVICE, "ResizePty", request, Empty)

    async def close_stdin(self, container_id: str, exec_id: str = "") -> None:
        request = pb.CloseIORequest(container_id=container_id, exec_id=exec_id, stdin=True)
        await self._connection.unary(_SERVICE, "CloseIO", request, Empty)

    async def pause(self, container_id: str) -> None:
        await self._connection.unary(_SERVICE, "Pause", pb.PauseTaskRequest(container_id=container_id), Empty)

    async def resume(self, container_id: str) -> None:
        request = pb.ResumeTaskRequest(container_id=container_id)
        await self._connection.unary(_SERVICE, "Resume", request, Empty)

    async def pids(self, container_id: str) -> Sequence[ProcessInfo]:
        """The container's processes; ``info`` is set for those that an exec started."""
        request = pb.ListPidsRequest(container_id=container_id)
        return [*(await self._connection.unary(_SERVICE, "ListPids", request, pb.ListPidsResponse)).processes]

    async def update(
        self, container_id: str, resources: Any, annotations: Mapping[str, str] | None = None
    ) -> None:
        """Change the task's resources: an OCI ``linux.resources`` document, packed as JSON."""
        request = pb.UpdateTaskRequest(
            container_id=container_id, resources=resources, annotations=annotations
        )
        await self._connection.unary(_SERVICE, "Update", request, Empty)

    async def checkpoint(self, container_id: str, options: Any) -> Sequence[Descriptor]:
        """Checkpoint with CRIU; ``options`` is a packed runc CheckpointOptions."""
        request = pb.CheckpointTaskRequest(container_id=container_id, options=options)
        reply = await self._connection.unary(_SERVICE, "Checkpoint", request, pb.CheckpointTaskResponse)
        return [*reply.descriptors]

    async def metrics(self, *filters: str) -> Sequence[Metric]:
        """cgroup metrics as the shims report them (``data`` is a packed cgroup v1 or v2 message)."""
        request = pb.MetricsRequest(filters=filters)
        return [*(await self._connection.unary(_SERVICE, "Metrics", request, pb.MetricsResponse)).metrics]
