"""One busybox container straight on containerd, for tests of the data plane: no image, no network, no pod."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import shutil
import signal
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pycri._generated.containerd_containers_pb2 import Container
from pycri._generated.containerd_types_pb2 import Mount
from pycri.containerd import Containerd
from pycri.containerd.anys import SPEC_TYPE_URL, pack_json
from pycri.errors import NotFound, PycriError

_APPLETS = ["sh", "cat", "echo", "sleep", "seq", "dd", "yes", "true", "false", "stty"]
_APPLETS += ["id", "head", "nc", "ps", "kill", "tty"]


def busybox_rootfs(directory: Path) -> Path:
    """A root file system of busybox alone. AssertionError: busybox-static is not installed."""
    busybox = shutil.which("busybox")
    assert busybox, "these tests need a static busybox: apt install busybox-static"
    for name in ("bin", "proc", "dev", "tmp", "sys"):
        (directory / name).mkdir(parents=True, exist_ok=True)
    shutil.copy(busybox, directory / "bin/busybox")
    for applet in _APPLETS:
        with contextlib.suppress(FileExistsError):
            os.link(directory / "bin/busybox", directory / "bin" / applet)
    return directory


def process_spec(*args: str, tty: bool = False) -> dict[str, Any]:
    """An OCI process for an exec."""
    return {
        "args": list(args),
        "cwd": "/",
        "env": ["PATH=/bin", "TERM=xterm"],
        "user": {"uid": 0, "gid": 0},
        "terminal": tty,
        "capabilities": {name: ["CAP_KILL"] for name in ("bounding", "effective", "permitted")},
    }


@dataclass
class BusyboxTask:
    """A created container; ``start`` runs it with the given FIFOs."""

    client: Containerd
    id: str
    rootfs: Path
    tty: bool
    pid: int = 0

    async def create(self, stdin: str = "", stdout: str = "", stderr: str = "") -> int:
        mount = Mount(type="bind", source=str(self.rootfs), options=["rbind", "rw"])
        self.pid = await self.client.tasks.create(
            self.id, rootfs=[mount], stdin=stdin, stdout=stdout, stderr=stderr, terminal=self.tty
        )
        return self.pid

    async def start(self, stdin: str = "", stdout: str = "", stderr: str = "") -> None:
        await self.create(stdin, stdout, stderr)
        await self.client.tasks.start(self.id)

    async def wait(self) -> int:
        return (await self.client.tasks.wait(self.id)).exit_status

    async def kill(self) -> None:
        with contextlib.suppress(NotFound):
            await self.client.tasks.kill(self.id, signal.SIGKILL, all=True)

    async def remove(self) -> None:
        with contextlib.suppress(PycriError):
            await self.kill()
            await asyncio.wait_for(self.wait(), 10)
        with contextlib.suppress(NotFound):
            await self.client.tasks.delete(self.id)
        with contextlib.suppress(NotFound):
            await self.client.containers.delete(self.id)


@contextlib.asynccontextmanager
async def busybox_task(
    client: Containerd, rootfs: Path, args: Sequence[str], *, tty: bool = False, netns: str = ""
) -> AsyncIterator[BusyboxTask]:
    """A container that will run ``args``; removed at the end."""
    container_id = secrets.token_hex(32)
    await client.containers.create(
        Container(
            id=container_id,
            runtime=Container.Runtime(name="io.containerd.runc.v2"),
            spec=pack_json(SPEC_TYPE_URL, _spec(container_id, args, tty, netns)),
        )
    )
    task = BusyboxTask(client, container_id, rootfs, tty)
    try:
        yield task
    finally:
        await task.remove()


def _spec(container_id: str, args: Sequence[str], tty: bool, netns: str) -> dict[str, Any]:
    network = {"type": "network", "path": netns} if netns else {"type": "network"}
    return {
        "ociVersion": "1.0.2",
        "process": process_spec(*args, tty=tty),
        "root": {"path": "rootfs"},
        "hostname": "busybox",
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {
                "destination": "/dev",
                "type": "tmpfs",
                "source": "tmpfs",
                "options": ["nosuid", "strictatime", "mode=755", "size=64k"],
            },
            {
                "destination": "/dev/pts",
                "type": "devpts",
                "source": "devpts",
                "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"],
            },
        ],
        "linux": {
            "cgroupsPath": f"/nodestrap-test-{container_id}",
            "namespaces": [{"type": kind} for kind in ("pid", "ipc", "uts", "mount")] + [network],
        },
    }


def spec_json(*args: str, tty: bool = False) -> bytes:
    return json.dumps(process_spec(*args, tty=tty)).encode()
