"""The control process: everything is made and wired here, and nowhere else."""

from __future__ import annotations

import asyncio
import dataclasses
import fcntl
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import grpc

from pycri import cgroups, errors
from pycri.attempts import Attempts, Locks
from pycri.cni import Network
from pycri.config import MAX_MESSAGE_BYTES, Config
from pycri.container.checkpoint import CheckpointContainer
from pycri.container.create import CreateContainer
from pycri.container.events import ContainerEvents
from pycri.container.exec import Attach, Exec, ExecSync, ReopenContainerLog
from pycri.container.exit import ContainerExit
from pycri.container.image_volumes import ImageVolumes
from pycri.container.list import ListContainers
from pycri.container.remove import RemoveContainer
from pycri.container.spec import apparmor
from pycri.container.start import StartContainer
from pycri.container.stats import ContainerStats
from pycri.container.status import ContainerStatus
from pycri.container.stop import StopContainer
from pycri.container.update import UpdateContainerResources
from pycri.containerd import Containerd
from pycri.handlers import Handlers
from pycri.images import ImageService
from pycri.images.registry.review import problems
from pycri.io.client import DataPlaneClient
from pycri.io.notify import notify
from pycri.monitor import Exit, Monitor
from pycri.processes import Processes
from pycri.publisher import Publisher
from pycri.recover import Recovery, TaskSync
from pycri.rootfs import RootFilesystems
from pycri.sandbox.events import SandboxEvents
from pycri.sandbox.exit import SandboxExit
from pycri.sandbox.list import ListPodSandbox
from pycri.sandbox.metrics import PodSandboxMetrics
from pycri.sandbox.network_review import NetworkReview
from pycri.sandbox.pause import Pause
from pycri.sandbox.port_forward import PortForward
from pycri.sandbox.remove import RemovePodSandbox
from pycri.sandbox.run import RunPodSandbox
from pycri.sandbox.stats import PodSandboxStats
from pycri.sandbox.status import PodSandboxStatus
from pycri.sandbox.stop import StopPodSandbox
from pycri.sandbox.update import UpdatePodSandboxResources
from pycri.server import image_service, runtime_service
from pycri.server.builtin_cri import refuse_builtin_cri
from pycri.server.metrics_endpoint import serve_metrics
from pycri.server.node import RuntimeConfig, Status, UpdateRuntimeConfig
from pycri.server.rpc import service_handlers
from pycri.server.runtime_service import RuntimeVerbs
from pycri.stats.collector import Collector
from pycri.store import Store
from pycri.store.database import Database

log = logging.getLogger(__name__)

_SERVER_OPTIONS = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.so_reuseport", 0),
)


async def main(config: Config) -> None:
    """Serve until SIGTERM or SIGINT, then finish what is in flight, for ``server.drain_timeout`` seconds."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    _watch_children_without_threads()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    starting = asyncio.create_task(stop.wait())
    notify("STATUS=waiting for containerd and pycri-io")
    async with AsyncExitStack() as stack:
        serving = asyncio.ensure_future(stack.enter_async_context(serve(config)))
        await asyncio.wait((serving, starting), return_when=asyncio.FIRST_COMPLETED)
        if not serving.done():
            serving.cancel()
            await asyncio.wait((serving,))
            return
        serving.result()
        notify("READY=1\nSTATUS=serving " + config.server.socket)
        await starting
        notify("STOPPING=1\nSTATUS=finishing requests")


@asynccontextmanager
async def serve(config: Config) -> AsyncIterator[None]:
    """The daemon without its signals: serves while the block runs.

    Raises FailedPrecondition: containerd's own CRI plugin is enabled (see builtin_cri.py).
    """
    for directory, mode in ((config.root, 0o700), (config.run, 0o755)):
        Path(directory).mkdir(mode=mode, parents=True, exist_ok=True)
    async with AsyncExitStack() as stack:
        stack.enter_context(_only_one(Path(config.root, "lock")))
        containerd = await stack.enter_async_context(
            Containerd(config.containerd.address, config.containerd.namespace)
        )
        io = await stack.enter_async_context(DataPlaneClient(config.io_socket))
        await _wait_for(containerd)
        await refuse_builtin_cri(config, containerd)
        store = Store(Database(config.database))
        stack.push_async_callback(store.close)
        images = ImageService(
            containerd, snapshotter=config.containerd.snapshotter, **dataclasses.asdict(config.images)
        )
        await images.start()
        stack.push_async_callback(images.close)
        for problem in await asyncio.to_thread(problems, Path(config.images.registry_config)):
            # the pulls that need it will fail, others not: no reason to take the node away
            log.error("registry configuration: %s", problem)
        attempts = Attempts()
        server = grpc.aio.server(options=_SERVER_OPTIONS)
        publisher = Publisher()
        await _wire(config, containerd, io, store, images, attempts, publisher, server, stack)
        await stack.enter_async_context(serve_metrics(config.metrics, store))
        _listen(server, Path(config.server.socket))
        await server.start()
        log.info("pycri serves the CRI on %s", config.server.socket)
        try:
            yield
        finally:
            publisher.close()
            await server.stop(config.server.drain_timeout)
            late = await attempts.drain(config.server.drain_timeout)
            if late:
                log.warning("%d requests did not finish in time; the next start undoes them", late)


async def _wire(
    config: Config,
    containerd: Containerd,
    io: DataPlaneClient,
    store: Store,
    images: ImageService,
    attempts: Attempts,
    publisher: Publisher,
    server: grpc.aio.Server,
    stack: AsyncExitStack,
) -> None:
    """Make every part, recover, follow events, and give the server its handlers."""
    driver = cgroups.driver(config.cgroups.driver)
    if apparmor.enabled():
        await asyncio.to_thread(apparmor.load_default)
    handlers = Handlers(config, driver)
    network = Network(config.cni, f"{config.root}/pod-cidr")
    locks = Locks()
    processes = Processes()
    stack.callback(processes.close)
    sandbox_events = SandboxEvents(store, publisher)
    container_events = ContainerEvents(store, sandbox_events)
    rootfs = RootFilesystems(config, containerd)
    pause = Pause(config, containerd, images, attempts, processes, rootfs)
    image_volumes = ImageVolumes(config, rootfs, images)
    container_exit = ContainerExit(store, containerd, io, container_events, locks, processes)
    sandbox_exit = SandboxExit(store, pause, container_exit, sandbox_events)

    async def on_exit(container_id: str, ended: Exit) -> None:
        if (container := store.containers.find(container_id)) is not None:
            await container_exit(container, ended)
        elif (sandbox := store.sandboxes.find(container_id)) is not None:
            await sandbox_exit(sandbox, ended)

    await Recovery(config, store, containerd, network, pause, io, image_volumes)()
    monitor = Monitor(
        containerd,
        on_exit,
        TaskSync(store, container_exit, sandbox_exit, processes, handlers),
        container_exit.oom,
    )
    following = asyncio.create_task(monitor.run())
    stack.push_async_callback(_end, following)
    await monitor.wait_live()
    review = NetworkReview(config.cni, store, network)
    await review.collect()
    attempts.background(("networks",), review.check)

    stop_container = StopContainer(store, containerd, container_exit, processes)
    remove_container = RemoveContainer(
        config, store, containerd, io, stop_container, container_events, attempts, locks, image_volumes
    )
    stop_sandbox = StopPodSandbox(
        config, store, network, pause, stop_container, container_exit, sandbox_events, attempts
    )
    collector = Collector(config, store, containerd, images.filesystem_mountpoint)
    verbs = RuntimeVerbs(
        status=Status(config, monitor, network, handlers),
        runtime_config=RuntimeConfig(driver),
        update_runtime_config=UpdateRuntimeConfig(network),
        run_pod_sandbox=RunPodSandbox(
            config, driver, store, network, handlers, pause, sandbox_events, attempts
        ),
        stop_pod_sandbox=stop_sandbox,
        remove_pod_sandbox=RemovePodSandbox(
            config, store, stop_sandbox, remove_container, sandbox_events, attempts
        ),
        pod_sandbox_status=PodSandboxStatus(config, store, containerd, handlers),
        list_pod_sandbox=ListPodSandbox(store),
        port_forward=PortForward(store, io),
        create_container=CreateContainer(
            config,
            driver,
            store,
            containerd,
            images,
            handlers,
            container_events,
            attempts,
            image_volumes,
            rootfs,
        ),
        start_container=StartContainer(
            config, store, containerd, io, container_events, attempts, locks, processes, handlers
        ),
        stop_container=stop_container,
        remove_container=remove_container,
        container_status=ContainerStatus(config, store, containerd, handlers),
        list_containers=ListContainers(store),
        update_container_resources=UpdateContainerResources(store, containerd, locks),
        exec_sync=ExecSync(store, io),
        exec=Exec(store, io),
        attach=Attach(store, io),
        reopen_container_log=ReopenContainerLog(store, io),
        container_stats=ContainerStats(store, collector),
        pod_sandbox_stats=PodSandboxStats(store, collector),
        events=publisher,
        pod_sandbox_metrics=PodSandboxMetrics(store, collector),
        update_pod_sandbox_resources=UpdatePodSandboxResources(store),
        checkpoint_container=CheckpointContainer(config, store, containerd, handlers, locks),
    )
    server.add_generic_rpc_handlers(
        (
            *service_handlers("RuntimeService", runtime_service.tables(verbs)),
            *service_handlers("ImageService", image_service.tables(images)),
        )
    )


@contextmanager
def _only_one(path: Path) -> Iterator[None]:
    """Two processes on one database and socket would undo each other's work."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise errors.AlreadyExists(f"another pycri serves {path.parent}; stop it first") from None
        yield


async def _wait_for(containerd: Containerd) -> None:
    """containerd may start after us, or be restarting: there is nothing to serve until it answers."""
    while not await _is_ready(containerd, 30.0):
        pass


async def _is_ready(containerd: Containerd, timeout: float) -> bool:
    try:
        await containerd.wait_ready(timeout)
    except errors.Unavailable as error:
        log.warning("waiting: %s", error)
        return False
    return True


def _listen(server: grpc.aio.Server, path: Path) -> None:
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    # gRPC binds in this call: at no moment may anybody but root connect
    before = os.umask(0o117)
    try:
        server.add_insecure_port(f"unix:{path}")
    finally:
        os.umask(before)


def _watch_children_without_threads() -> None:
    """Before Python 3.12 asyncio would start a thread for each CNI plugin; a pidfd needs none."""
    if sys.version_info < (3, 12):
        watcher = asyncio.PidfdChildWatcher()
        watcher.attach_loop(asyncio.get_running_loop())
        asyncio.set_child_watcher(watcher)


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait((task,))
