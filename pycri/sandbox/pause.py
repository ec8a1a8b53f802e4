"""The pause container of a pod: files, snapshot, containerd record and task."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Protocol

from google.protobuf.any_pb2 import Any as AnyMessage

from pycri import errors, labels
from pycri._generated.containerd_containers_pb2 import Container
from pycri._generated.containerd_types_pb2 import Mount, Sandbox
from pycri.attempts import Attempts, ignore_missing, together
from pycri.config import Config
from pycri.container.spec import id_mappings, selinux
from pycri.containerd import Containerd
from pycri.containerd.anys import SPEC_TYPE_URL, pack_json
from pycri.handlers import Handler
from pycri.image import Image
from pycri.processes import Processes
from pycri.rootfs import RootFilesystems
from pycri.sandbox import files, user_namespace
from pycri.sandbox.spec import process_label, sandbox_spec
from pycri.store import ContainerRecord, SandboxRecord
from pycri.store.records import dump

log = logging.getLogger(__name__)

_KILL_TIMEOUT = 30.0


class SandboxImage(Protocol):
    """What this needs of pycri.images."""

    async def ensure_sandbox_image(self) -> Image: ...


class Pause:
    """Steps of one pause container's life, in order; each registers its undo."""

    def __init__(
        self,
        config: Config,
        containerd: Containerd,
        images: SandboxImage,
        attempts: Attempts,
        processes: Processes,
        rootfs: RootFilesystems,
    ) -> None:
        self._rootfs = rootfs
        self._attempts = attempts
        self._processes = processes
        self._config = config
        self._containerd = containerd
        self._images = images
        self._snapshotter = config.containerd.snapshotter
        self._has_sandbox_store = True

    async def prepare(
        self, record: SandboxRecord, handler: Handler, undo: AsyncExitStack
    ) -> tuple[str, Sequence[Mount]]:
        """What needs no namespace to exist: files, snapshot, containerd's record. Image id and mounts."""
        image = await self._images.ensure_sandbox_image()
        container = self._container(record, handler, image)
        mappings = id_mappings.of_pod(record.config.linux.security_context.namespace_options)
        undo.callback(files.remove, self._config, record.id)
        files.create(self._config, record.id, record.config, mappings)
        undo.push_async_callback(self.remove_snapshot, record.id)
        undo.push_async_callback(self.remove_record, record.id)
        mounts, *_ = await together(
            self._rootfs.prepare(record.id, image.chain_id, mappings),
            self._containerd.containers.create(container),
        )
        return image.id, selinux.labelled(mounts, selinux.file_label(process_label(record.config)))

    async def create_task(
        self, sandbox_id: str, handler: Handler, mounts: Sequence[Mount], undo: AsyncExitStack
    ) -> int:
        """``runc create``, in the pod's namespaces; the pause process's pid."""
        undo.push_async_callback(self.kill, sandbox_id)
        pid: int  # the store is for the pod's containers, the pause task does without
        pid, _ = await together(
            self._containerd.tasks.create(sandbox_id, rootfs=mounts),
            self._tell_sandbox_store(sandbox_id, handler),
        )
        if handler.runs_on_host:
            self._processes.watch(sandbox_id, pid)
        return pid

    def _container(self, record: SandboxRecord, handler: Handler, image: Image) -> Container:
        userns = user_namespace.path(self._config.run, record.id)
        spec = sandbox_spec(record, image.config.get("config") or {}, files.hostname(record.config), userns)
        return Container(
            id=record.id,
            labels=labels.of_record(labels.SANDBOX, record.config.labels),
            image=self._config.images.sandbox_image,
            runtime=Container.Runtime(name=handler.type, options=handler.options),
            spec=pack_json(SPEC_TYPE_URL, spec),
            snapshotter=self._snapshotter,
            snapshot_key=record.id,
            extensions={labels.RECORD_EXTENSION: extension(labels.SANDBOX, record)},
        )

    async def keep(self, record: SandboxRecord) -> None:
        """Bring our record inside containerd's up to date."""
        kept = Container(
            id=record.id, extensions={labels.RECORD_EXTENSION: extension(labels.SANDBOX, record)}
        )
        await ignore_missing(self._containerd.containers.update(kept, "extensions"))

    async def start(self, record: SandboxRecord) -> None:
        await self._containerd.tasks.start(record.id)

    async def kill(self, sandbox_id: str) -> None:
        """End the task and delete it; one that is not there is fine. Its shim ends with it."""
        await self.end(sandbox_id)
        await self.delete_task(sandbox_id)

    async def end(self, sandbox_id: str) -> None:
        """SIGKILL, and wait until no process is left. Raises DeadlineExceeded."""
        waiting = asyncio.ensure_future(self._wait(sandbox_id))
        try:
            if not self._processes.signal(sandbox_id, signal.SIGKILL):
                await self._containerd.tasks.kill(sandbox_id, signal.SIGKILL)
            await asyncio.wait_for(asyncio.shield(waiting), _KILL_TIMEOUT)
        except (errors.NotFound, errors.FailedPrecondition):
            pass  # ended already, or never started: delete tells
        except asyncio.TimeoutError:
            raise errors.DeadlineExceeded(
                f"the pause process of {sandbox_id} did not end within {_KILL_TIMEOUT:g} s of SIGKILL"
            ) from None
        finally:
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)

    async def _wait(self, sandbox_id: str) -> None:
        try:
            await self._containerd.tasks.wait(sandbox_id)
        except errors.NotFound:
            return
        except errors.PycriError:
            # The exit's event may have come first and the task be deleted, and its shim with it: the call
            # is then cut off, with an error of no particular kind.
            if await self._exists(sandbox_id):
                raise

    async def _exists(self, sandbox_id: str) -> bool:
        try:
            await self._containerd.tasks.get(sandbox_id)
        except errors.NotFound:
            return False
        return True

    async def delete_task(self, sandbox_id: str) -> None:
        """Once at a time: the shim ends with the first call, and would cut a second one off."""
        self._processes.forget(sandbox_id)
        await self._attempts.join(("delete task", sandbox_id), lambda: self._delete_task(sandbox_id))

    async def _delete_task(self, sandbox_id: str) -> None:
        try:
            await self._containerd.tasks.delete(sandbox_id)
        except errors.NotFound:
            return
        except errors.PycriError:
            # the shim went away between its answer and containerd's: as long as the task is gone, well
            if await self._exists(sandbox_id):
                raise

    async def clear(self, sandbox_id: str) -> None:
        """Everything of an ended pause container that containerd keeps."""
        await self.delete_task(sandbox_id)
        await together(self.remove_record(sandbox_id), self.remove_snapshot(sandbox_id))

    async def remove_record(self, sandbox_id: str) -> None:
        """containerd's record, and its sandbox store's where there is one."""
        await ignore_missing(self._containerd.containers.delete(sandbox_id))
        if self._has_sandbox_store:
            try:
                await ignore_missing(self._containerd.sandboxes.delete(sandbox_id))
            except errors.Unimplemented:
                self._has_sandbox_store = False

    async def remove_snapshot(self, sandbox_id: str) -> None:
        await self._rootfs.remove(sandbox_id)

    async def _tell_sandbox_store(self, sandbox_id: str, handler: Handler) -> None:
        """containerd 2 starts a container in its pod's shim only if this store knows the pod."""
        if not self._has_sandbox_store:
            return
        sandbox = Sandbox(
            sandbox_id=sandbox_id,
            runtime=Sandbox.Runtime(name=handler.type, options=handler.options),
            sandboxer="podsandbox",
            labels={labels.KIND: labels.SANDBOX},
        )
        try:
            await self._containerd.sandboxes.create(sandbox)
        except errors.Unimplemented:  # containerd 1.6
            self._has_sandbox_store = False


def extension(kind: str, record: SandboxRecord | ContainerRecord) -> AnyMessage:
    """Our record inside containerd's, for when the database is lost (recover.py)."""
    return AnyMessage(type_url=labels.record_type(kind), value=dump(record))
