"""Reconciles what should be (SQLite) with what is (containerd), at start and after containerd was away.

The rules, one per one-sided case:

====================================  ==========================================================
sandbox row, RunPodSandbox not done   undone: task, record, snapshot, CNI DEL, namespace, files
sandbox row, no task                  not ready; the kubelet stops it, which does the DEL
container row, no containerd record   dropped if it never ran; else ended with code 255
container row, no task                ended with code 255, if it was running
container row, task stopped           ended with the task's own code and time
container row "created", task runs    running: pycri died between the start and writing it down
container row "created", task ended   the same, and ended with the task's own code and time
containerd record, no row             removed, if it carries our extension; others' are left alone
snapshot, netns, directory; no row    removed, if it is ours
checkpoint begun, not finished        the container goes on; nothing is kept of it
no database                           rows rebuilt from the records' extensions and the tasks
====================================  ==========================================================
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import time
from contextlib import AsyncExitStack
from pathlib import Path

from pycri import errors, labels
from pycri._generated import containerd_task_types_pb2 as task_types
from pycri._generated.containerd_containers_pb2 import Container
from pycri.attempts import ignore_missing
from pycri.cni import Network, netns
from pycri.config import Config
from pycri.container.checkpoint import end_unfinished
from pycri.container.exit import ContainerExit
from pycri.container.image_volumes import ImageVolumes
from pycri.containerd import Containerd
from pycri.handlers import Handlers
from pycri.io.client import DataPlaneClient
from pycri.monitor import Exit, Tasks
from pycri.processes import Processes
from pycri.rootfs import SNAPSHOT_LABELS
from pycri.sandbox import files
from pycri.sandbox.exit import SandboxExit
from pycri.sandbox.pause import Pause
from pycri.store import ContainerRecord, SandboxRecord, Store, records

log = logging.getLogger(__name__)

# What a process is said to have ended with when nobody saw it end.
UNKNOWN_EXIT_CODE = 255


class TaskSync:
    """Brings rows in line with the tasks there are; runs whenever events may have been missed."""

    def __init__(
        self,
        store: Store,
        container_exit: ContainerExit,
        sandbox_exit: SandboxExit,
        processes: Processes,
        handlers: Handlers,
    ) -> None:
        self._handlers = handlers
        self._processes = processes
        self._store = store
        self._container_exit = container_exit
        self._sandbox_exit = sandbox_exit

    async def __call__(self, tasks: Tasks) -> None:
        ends = []
        for task_id, found in tasks.items():
            if _alive(found) and self._runs_on_host(task_id):
                self._processes.watch(task_id, found.pid)
        for container in self._store.containers:
            task = tasks.get(container.id)
            if container.state == records.RUNNING and not _alive(task):
                ends.append(self._container_exit(container, _end(task)))
        for sandbox in self._store.sandboxes:
            task = tasks.get(sandbox.id)
            if sandbox.created and sandbox.ready and not _alive(task):
                ends.append(self._sandbox_exit(sandbox, _end(task)))
        for failure in await asyncio.gather(*ends, return_exceptions=True):
            if isinstance(failure, BaseException):
                raise failure

    def _runs_on_host(self, task_id: str) -> bool:
        container = self._store.containers.find(task_id)
        sandbox = self._store.sandboxes.find(container.sandbox_id if container else task_id)
        try:
            return sandbox is not None and self._handlers.get(sandbox.handler).runs_on_host
        except errors.InvalidArgument:
            return False  # a handler that is not configured any more


class Recovery:
    """The start of the daemon, before it answers anybody."""

    def __init__(
        self,
        config: Config,
        store: Store,
        containerd: Containerd,
        network: Network,
        pause: Pause,
        io: DataPlaneClient,
        image_volumes: ImageVolumes,
    ) -> None:
        self._image_volumes = image_volumes
        self._config = config
        self._store = store
        self._containerd = containerd
        self._network = network
        self._pause = pause
        self._io = io
        self._snapshotter = config.containerd.snapshotter

    async def __call__(self) -> None:
        """Raises what containerd raises. What resists is kept, a sandbox as not ready, and logged."""
        known = await self._store.load()
        found, processes = await asyncio.gather(
            self._containerd.containers.list(f'labels."{labels.KIND}"'), self._containerd.tasks.list()
        )
        ours = {item.id: item for item in found if labels.RECORD_EXTENSION in item.extensions}
        tasks = {task.id or task.container_id: task for task in processes}
        if not known and ours:
            await self._rebuild(ours, tasks)
        await asyncio.gather(*(self._sandbox(record) for record in self._store.sandboxes))
        await asyncio.gather(
            *(self._container(record, ours, tasks.get(record.id)) for record in self._store.containers)
        )
        rows = {record.id for record in self._store.sandboxes} | {r.id for r in self._store.containers}
        await asyncio.gather(*(self._remove_orphan(item, tasks) for item in ours.keys() - rows))
        for container_id in self._image_volumes.leftovers(rows):
            await self._image_volumes.unmount(container_id)
        await self._remove_snapshots(rows)
        await end_unfinished(self._config, self._containerd)
        self._remove_namespaces()
        self._remove_directories(rows)
        await self._close_streams()

    async def _sandbox(self, record: SandboxRecord) -> None:
        if record.created:
            return  # TaskSync sees whether it runs
        log.warning("sandbox %s (%s) was being made when pycri ended: undone", record.id, record.name)
        undo = AsyncExitStack()
        undo.callback(files.remove, self._config, record.id)
        undo.push_async_callback(self._pause.remove_snapshot, record.id)
        undo.push_async_callback(self._pause.remove_record, record.id)
        if record.netns:
            undo.callback(netns.remove, record.netns)
        if record.network:
            path = record.netns if netns.exists(record.netns) else ""
            undo.push_async_callback(
                self._network.detach, record.network, record.result, record.id, path, record.config
            )
        undo.push_async_callback(self._pause.kill, record.id)
        try:
            await undo.aclose()
        except (errors.PycriError, OSError) as error:
            log.error("sandbox %s could not be undone, it is kept as not ready: %s", record.id, error)
            await self._store.put(dataclasses.replace(record, created=True, ready=False))
        else:
            await self._store.drop(record)

    async def _container(
        self, record: ContainerRecord, ours: dict[str, Container], task: task_types.Process | None
    ) -> None:
        if record.removing or (record.id not in ours and record.state == records.CREATED):
            try:
                await self._remove(record.id, task is not None)
            except (errors.PycriError, OSError) as error:
                log.error(
                    "container %s could not be removed, the next start tries again: %s", record.id, error
                )
            else:
                await self._store.drop(record)
        elif record.state == records.CREATED and _alive(task):
            assert task is not None
            await self._store.put(
                dataclasses.replace(record, state=records.RUNNING, pid=task.pid, started_at=time.time_ns())
            )
        elif record.state == records.CREATED and task is not None and task.status == task_types.STOPPED:
            # it ran, and has ended since: TaskSync records how; to run it again would be the greater mistake
            await self._store.put(
                dataclasses.replace(record, state=records.RUNNING, pid=task.pid, started_at=record.created_at)
            )
        elif record.state == records.CREATED and task is not None:
            # created but not started: the next StartContainer makes its own
            await self._pause.kill(record.id)

    async def _remove_orphan(self, container_id: str, tasks: Tasks) -> None:
        log.warning("containerd has %s, which no request has finished making: removed", container_id)
        try:
            await self._remove(container_id, container_id in tasks)
        except (errors.PycriError, OSError) as error:
            log.error("%s could not be removed, the next start tries again: %s", container_id, error)

    async def _remove(self, container_id: str, has_task: bool) -> None:
        if has_task:
            await self._pause.kill(container_id)
        await self._pause.remove_record(container_id)
        await self._pause.remove_snapshot(container_id)
        await self._image_volumes.unmount(container_id)

    async def _remove_snapshots(self, rows: set[str]) -> None:
        label, value = next(iter(SNAPSHOT_LABELS.items()))
        for info in await self._containerd.snapshots.list(self._snapshotter, f'labels."{label}"=={value}'):
            if info.name.partition("-")[0] not in rows:  # image volumes' begin with the container's id
                log.warning("snapshot %s belongs to nothing: removed", info.name)
                await ignore_missing(self._containerd.snapshots.remove(self._snapshotter, info.name))

    def _remove_namespaces(self) -> None:
        known = {record.netns for record in self._store.sandboxes}
        for path in netns.of_owner(self._config.cni.netns_dir, self._config.root):
            if path not in known:
                log.warning("network namespace %s belongs to nothing: removed", path)
                netns.remove(path)

    def _remove_directories(self, rows: set[str]) -> None:
        for base in (self._config.root, self._config.run):
            directory = Path(base, "sandboxes")
            for path in directory.iterdir() if directory.is_dir() else ():
                if path.name not in rows:
                    files.remove(self._config, path.name)

    async def _close_streams(self) -> None:
        """Streams pycri-io holds for containers that are gone."""
        known = {record.id for record in self._store.containers}
        try:
            for container_id in await self._io.list_containers():
                if container_id not in known:
                    await self._io.close(container_id)
        except errors.Unavailable as error:
            log.warning("streams of containers that are gone are left to the next start: %s", error)

    async def _rebuild(self, ours: dict[str, Container], tasks: Tasks) -> None:
        log.warning("there was no database: %d records are rebuilt from containerd", len(ours))
        for item in ours.values():
            data = item.extensions[labels.RECORD_EXTENSION].value
            try:
                if item.labels[labels.KIND] == labels.SANDBOX:
                    sandbox = records.load(SandboxRecord, data)
                    await self._store.put(
                        dataclasses.replace(sandbox, created=True, ready=_alive(tasks.get(item.id)))
                    )
                else:
                    await self._store.put(_rebuilt(records.load(ContainerRecord, data), tasks.get(item.id)))
            except ValueError as error:
                log.error("%s cannot be rebuilt and is removed: %s", item.id, error)


def _rebuilt(record: ContainerRecord, task: task_types.Process | None) -> ContainerRecord:
    """A container that has no task has ended, unseen: to run it again would be the greater mistake."""
    if task is not None:
        return dataclasses.replace(
            record, created=True, state=records.RUNNING, pid=task.pid, started_at=record.created_at
        )
    now = time.time_ns()
    return dataclasses.replace(
        record,
        created=True,
        state=records.EXITED,
        started_at=record.created_at,
        finished_at=now,
        exit_code=UNKNOWN_EXIT_CODE,
        reason="Unknown",
        message="pycri's database was lost; nobody saw this container end",
    )


def _alive(task: task_types.Process | None) -> bool:
    return task is not None and task.status in (task_types.RUNNING, task_types.PAUSED, task_types.PAUSING)


def _end(task: task_types.Process | None) -> Exit:
    if task is None or task.status != task_types.STOPPED:
        return Exit(UNKNOWN_EXIT_CODE, time.time_ns())
    return Exit(task.exit_status, task.exited_at.ToNanoseconds() or time.time_ns())
