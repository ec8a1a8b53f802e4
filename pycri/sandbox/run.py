"""RunPodSandbox: names, record, namespace, then network and pause container side by side."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import secrets
import time
from collections.abc import Awaitable
from contextlib import AsyncExitStack
from typing import Any

from pycri import cgroups, errors, windows
from pycri._generated import cri_pb2 as cri
from pycri.attempts import Attempts, together
from pycri.cni import Conflist, Network, netns
from pycri.config import Config
from pycri.container.spec import id_mappings
from pycri.container.spec.id_mappings import IdMappings
from pycri.handlers import Handler, Handlers
from pycri.sandbox import files, user_namespace
from pycri.sandbox.events import SandboxEvents
from pycri.sandbox.pause import Pause
from pycri.sandbox.spec import needs_interface, sysctls
from pycri.store import SandboxRecord, Store

log = logging.getLogger(__name__)

# Cleaning up after a failure has this long, whatever happened to the request.
UNDO_TIMEOUT = 120.0


class RunPodSandbox:
    """The verb. A retry of the same request joins the attempt, or gets the finished sandbox."""

    def __init__(
        self,
        config: Config,
        cgroup_driver: str,
        store: Store,
        network: Network,
        handlers: Handlers,
        pause: Pause,
        events: SandboxEvents,
        attempts: Attempts,
    ) -> None:
        self._config = config
        self._cgroup_driver = cgroup_driver
        self._store = store
        self._network = network
        self._handlers = handlers
        self._pause = pause
        self._events = events
        self._attempts = attempts

    async def __call__(self, request: cri.RunPodSandboxRequest) -> cri.RunPodSandboxResponse:
        """Raises InvalidArgument, AlreadyExists (another sandbox has the name), FailedPrecondition (no
        network), and what containerd and the CNI plugins report."""
        record = self._new_record(request)
        started = await self._attempts.join(("run", record.name), lambda: self._run(record))
        return cri.RunPodSandboxResponse(pod_sandbox_id=started)

    def _new_record(self, request: cri.RunPodSandboxRequest) -> SandboxRecord:
        config = request.config
        if not (config.metadata.name and config.metadata.namespace and config.metadata.uid):
            raise errors.InvalidArgument("a sandbox needs metadata with name, namespace and uid")
        windows.refuse(config)
        files.validate(config)
        sysctls(config)
        id_mappings.of_pod(config.linux.security_context.namespace_options)
        sandbox_id = secrets.token_hex(32)
        own_network = config.linux.security_context.namespace_options.network != cri.NODE
        return SandboxRecord(
            id=sandbox_id,
            config=config,
            created_at=time.time_ns(),
            handler=request.runtime_handler,
            cgroup=cgroups.path(self._cgroup_driver, config.linux.cgroup_parent, sandbox_id),
            netns=netns.new_path(self._config.cni.netns_dir, self._config.root) if own_network else "",
        )

    async def _run(self, record: SandboxRecord) -> str:
        before = self._store.sandboxes.named(record.name)
        if before is not None and before.ready and before.config == record.config:
            return before.id  # the answer to an earlier try was not received
        handler = self._handlers.get(record.handler)
        mappings = _mappings(record, handler)
        conflist = self._network.current() if record.netns else None
        if conflist is not None:
            record = dataclasses.replace(record, network=conflist.dump())
        self._store.reserve(record)
        undo = AsyncExitStack()
        try:
            record = await self._start(record, handler, conflist, mappings, undo)
        except BaseException as error:
            await asyncio.shield(self._undo(record, undo, error))
            raise
        undo.pop_all()
        # the record that containerd keeps knows the address too, should the database be lost
        self._attempts.background(("keep", record.id), lambda: self._pause.keep(record))
        self._events.created(record)
        return record.id

    async def _start(
        self,
        record: SandboxRecord,
        handler: Handler,
        conflist: Conflist | None,
        mappings: IdMappings | None,
        undo: AsyncExitStack,
    ) -> SandboxRecord:
        namespaces = asyncio.ensure_future(self._make_namespaces(record, mappings, undo))
        on_disk = asyncio.ensure_future(self._store.put(record))

        async def attached() -> tuple[tuple[str, ...], str]:
            # only then: a crash cannot lose the address that is asked for now
            await together(on_disk, namespaces)
            return ((), "") if conflist is None else await self._attach(record, conflist, undo)

        network = asyncio.ensure_future(attached())
        overlaps = handler.overlaps and not needs_interface(record.config)

        async def created() -> tuple[str, int]:
            first: Awaitable[Any] = namespaces if overlaps or conflist is None else network
            (image_id, mounts), _ = await together(self._pause.prepare(record, handler, undo), first)
            return image_id, await self._pause.create_task(record.id, handler, mounts, undo)

        (image_id, pid), (ips, result) = await together(created(), network)
        record = dataclasses.replace(record, ips=ips, result=result, pid=pid, image_id=image_id)
        ready = dataclasses.replace(record, ready=True, created=True)
        # a power cut ends the pod: it need not be on the disk, the kernel's having it is enough
        await together(self._pause.start(record), self._store.put(ready, sync=False))
        return ready

    async def _make_namespaces(
        self, record: SandboxRecord, mappings: IdMappings | None, undo: AsyncExitStack
    ) -> None:
        if record.netns:
            undo.callback(netns.remove, record.netns)
        if mappings is not None:
            undo.callback(files.remove_mounts, self._config, record.id)
            user = user_namespace.path(self._config.run, record.id)
            await user_namespace.create(user, record.netns, mappings)
        elif record.netns:
            await netns.create(record.netns)

    async def _attach(
        self, record: SandboxRecord, conflist: Conflist, undo: AsyncExitStack
    ) -> tuple[tuple[str, ...], str]:
        # also after a failed ADD: plugins before the one that failed have done their part
        undo.push_async_callback(
            self._network.detach, record.network, "", record.id, record.netns, record.config
        )
        result = await self._network.attach(conflist, record.id, record.netns, record.config)
        return result.ips, result.dump()

    async def _undo(self, record: SandboxRecord, undo: AsyncExitStack, cause: BaseException) -> None:
        log.warning("sandbox %s (%s) failed, undoing: %s", record.id, record.name, cause)
        try:
            await asyncio.wait_for(undo.aclose(), UNDO_TIMEOUT)
        except (errors.PycriError, OSError, asyncio.TimeoutError) as error:
            # Something may be left, perhaps an address. Listed as not ready, the kubelet stops it again.
            log.error("sandbox %s could not be undone, it is kept as not ready: %s", record.id, error)
            await self._store.put(dataclasses.replace(record, created=True, ready=False))
        else:
            await self._store.drop(record)


def _mappings(record: SandboxRecord, handler: Handler) -> IdMappings | None:
    """Of the pod's user namespace, if it has one. Raises InvalidArgument: the handler cannot make one."""
    mappings = id_mappings.of_pod(record.config.linux.security_context.namespace_options)
    if mappings is not None and not handler.features.user_namespaces:
        raise errors.InvalidArgument(
            f'runtime handler "{handler.name}" cannot run pods in user namespaces (its runtime does not list '
            "them among its features): set hostUsers: true, or choose another RuntimeClass"
        )
    return mappings
