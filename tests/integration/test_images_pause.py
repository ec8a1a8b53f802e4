"""The built-in sandbox image under a real containerd."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from pycri._generated import cri_pb2
from pycri._generated.containerd_containers_pb2 import Container
from pycri.containerd import Containerd
from pycri.containerd.anys import SPEC_TYPE_URL, pack_json
from pycri.errors import NotFound
from pycri.images import ImageRecord, pause
from tests.support.containerd import ContainerdHost
from tests.support.images import image_service

pytestmark = pytest.mark.integration
RT_SIGTIMEDWAIT = {"x86_64": "128", "aarch64": "137"}[os.uname().machine]


@pytest.fixture(scope="module")
def host() -> Iterator[ContainerdHost]:
    with ContainerdHost() as made:
        yield made


async def test_import_needs_no_registry_and_happens_once(host: ContainerdHost) -> None:
    async with image_service(host) as (images, client):
        record = await images.ensure_sandbox_image()
        assert record.pinned
        assert record.repo_tags == (pause.NAME,)
        assert record.process_config["Entrypoint"] == ["/pause"]
        before = (await client.images.get(pause.NAME)).updated_at
        assert await images.ensure_sandbox_image() == record
        assert (await client.images.get(pause.NAME)).updated_at == before
        status = await images.image_status(
            cri_pb2.ImageStatusRequest(image=cri_pb2.ImageSpec(image=pause.NAME))
        )
        assert status.image.pinned
        assert status.image.uid.value == 65535
    async with image_service(host) as (images, _):  # a restart finds it
        assert await images.resolve(pause.NAME) == record


async def test_collection_keeps_it_and_a_removed_one_comes_back(host: ContainerdHost) -> None:
    async with image_service(host) as (images, client):
        record = await images.ensure_sandbox_image()
        await client.leases.create("collect-now")
        await client.leases.delete("collect-now", sync=True)
        assert (await client.snapshots.stat("overlayfs", record.chain_id)).name == record.chain_id
        for name in record.names:
            await client.images.delete(name, sync=True)
        with pytest.raises(NotFound):
            await client.snapshots.stat("overlayfs", record.chain_id)
        async with asyncio.timeout(10):
            while (await images.list_images(cri_pb2.ListImagesRequest())).images:  # noqa: ASYNC110
                await asyncio.sleep(0.01)  # until containerd's events have emptied it
        assert await images.ensure_sandbox_image() == record


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_pid_1_reaps_orphans_and_ends_on_a_signal(host: ContainerdHost, number: int) -> None:
    async with image_service(host) as (images, client):
        record = await images.ensure_sandbox_image()
        async with running(client, record) as pid:
            orphan_of(pid)
            ended = asyncio.create_task(client.tasks.wait("pause"))
            await asyncio.sleep(0)
            await client.tasks.kill("pause", number)
            assert (await asyncio.wait_for(ended, 10)).exit_status == 0


@asynccontextmanager
async def running(client: Containerd, record: ImageRecord) -> AsyncIterator[int]:
    """The pause container, with nothing but its image and a pid namespace; yields its pid on the host."""
    mounts = await client.snapshots.prepare("overlayfs", "pause", record.chain_id)
    spec = {
        "ociVersion": "1.0.2",
        "process": {
            "args": record.process_config["Entrypoint"],
            "cwd": "/",
            "user": {"uid": 65535, "gid": 65535},
        },
        "root": {"path": "rootfs", "readonly": True},
        "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
        "linux": {"namespaces": [{"type": "pid"}, {"type": "mount"}]},
    }
    spec["linux"]["cgroupsPath"] = f"/pycri-test-{os.getpid()}/pause"  # type: ignore[index]
    await client.containers.create(
        Container(
            id="pause",
            runtime=Container.Runtime(name="io.containerd.runc.v2"),
            spec=pack_json(SPEC_TYPE_URL, spec),
            snapshotter="overlayfs",
            snapshot_key="pause",
        )
    )
    pid = await client.tasks.create("pause", rootfs=mounts)
    try:
        await client.tasks.start("pause")
        # runc's own process becomes the pause program a moment after the start has returned
        _wait_for(lambda: Path(f"/proc/{pid}/syscall").read_text().split()[0] == RT_SIGTIMEDWAIT)
        yield pid
    finally:
        try:
            with contextlib.suppress(NotFound):  # as it should be: it has ended
                await client.tasks.kill("pause", signal.SIGKILL)
            await client.tasks.wait("pause")
            await client.tasks.delete("pause")
            await client.containers.delete("pause")
            with contextlib.suppress(NotFound):  # containerd's garbage collection may have come first
                await client.snapshots.remove("overlayfs", "pause")
        finally:
            for parent in Path("/sys/fs/cgroup").glob(f"*/pycri-test-{os.getpid()}"):
                parent.rmdir()


def orphan_of(pid: int) -> None:
    """Leave an orphan in the pid namespace of ``pid``, let it die, and see that no zombie stays."""
    script = "sleep 600 >/dev/null 2>&1 &"
    subprocess.run(["nsenter", "--target", str(pid), "--pid", "sh", "-c", script], check=True)
    (orphan,) = _wait_for(lambda: _children(pid))
    os.kill(orphan, signal.SIGKILL)
    _wait_for(lambda: not _children(pid))


def _children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _wait_for(probe: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 10
    while not (found := probe()):
        assert time.monotonic() < deadline, "nothing changed within 10 s"
        time.sleep(0.005)
    return found
