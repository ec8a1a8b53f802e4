"""The control process dies and comes back while a container logs, a shell is open and a port is forwarded."""

from __future__ import annotations

import asyncio
import bisect
import itertools
import json
import signal
import stat
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from installer.verify.client import CriClient
from pycri._generated import cri_pb2
from tests.support.containerd import ContainerdHost
from tests.support.pycri import PycriHost, mirrored_registry
from tests.support.streaming_client import SpdyClient

pytestmark = pytest.mark.integration

IMAGE = "registry.k8s.io/e2e-test-images/busybox:1.29-4"
KILLS = 20
WRITER = "i=0; while [ ! -e /tmp/stop ]; do i=$((i+1)); echo $i; done; echo $i > /tmp/count; sleep 1000"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PycriHost]:
    with (
        ContainerdHost() as containerd,
        mirrored_registry(containerd, tmp_path_factory.mktemp("registry")),
        PycriHost(containerd) as node,
    ):
        yield node


class Pod:
    """One pod with a log directory, made over the CRI."""

    def __init__(self, cri: CriClient, logs: Path) -> None:
        self.cri = cri
        self.config = cri_pb2.PodSandboxConfig(
            metadata=cri_pb2.PodSandboxMetadata(name="restart", uid=str(uuid.uuid4()), namespace="test"),
            log_directory=str(logs),
            linux=cri_pb2.LinuxPodSandboxConfig(),
        )
        request = cri_pb2.RunPodSandboxRequest(config=self.config)
        self.id = cri.runtime.RunPodSandbox(request).pod_sandbox_id

    def run(self, name: str, command: list[str]) -> str:
        config = cri_pb2.ContainerConfig(
            metadata=cri_pb2.ContainerMetadata(name=name),
            image=cri_pb2.ImageSpec(image=IMAGE),
            command=command,
            log_path=f"{name}.log",
        )
        request = cri_pb2.CreateContainerRequest(
            pod_sandbox_id=self.id, config=config, sandbox_config=self.config
        )
        container_id: str = self.cri.runtime.CreateContainer(request).container_id
        self.cri.runtime.StartContainer(cri_pb2.StartContainerRequest(container_id=container_id))
        return container_id

    def pid(self, container_id: str) -> int:
        request = cri_pb2.ContainerStatusRequest(container_id=container_id, verbose=True)
        return int(json.loads(self.cri.runtime.ContainerStatus(request).info["info"])["pid"])

    def sh(self, container_id: str, script: str) -> str:
        request = cri_pb2.ExecSyncRequest(container_id=container_id, cmd=["sh", "-c", script], timeout=20)
        return bytes(self.cri.runtime.ExecSync(request).stdout).decode()


class Waits:
    """How long a process has waited for a processor, in seconds by the clock's time."""

    def __init__(self, pid: int) -> None:
        self._path = Path(f"/proc/{pid}/schedstat")
        self._times: list[float] = []
        self._waited: list[float] = []

    def sample(self) -> None:
        waited = int(self._path.read_text().split()[1]) / 1e9
        self._times.append(time.time())
        self._waited.append(waited)

    def between(self, start: float, end: float) -> tuple[float, float]:
        """At least and at most, as far as the samples tell."""
        first, last = bisect.bisect_left(self._times, start), bisect.bisect(self._times, end) - 1
        least = self._waited[last] - self._waited[first] if first < last else 0.0
        before, after = max(first - 1, 0), min(last + 1, len(self._times) - 1)
        return least, min(self._waited[after] - self._waited[before], end - start)


@contextmanager
def waits_of(pid: int) -> Iterator[Waits]:
    """Sampled every 3 ms while the block runs."""
    waits = Waits(pid)
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.003):
            waits.sample()

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield waits
    finally:
        over.set()
        thread.join()


async def test_20_kills_disturb_no_stream(node: PycriHost, tmp_path: Path) -> None:
    cri = node.client()
    cri.negotiate()
    cri.image.PullImage(cri_pb2.PullImageRequest(image=cri_pb2.ImageSpec(image=IMAGE)))
    pod = Pod(cri, tmp_path)
    writer = pod.run("writer", ["sh", "-c", WRITER])
    served = pod.run("served", ["sh", "-c", "while true; do echo served | nc -l -p 8080; done"])

    request: Any = cri_pb2.ExecRequest(container_id=served, cmd=["cat"], stdin=True, stdout=True, stderr=True)
    shell = await SpdyClient.connect(cri.runtime.Exec(request).url)
    _, stdin, stdout, _ = (shell.open(streamType=kind) for kind in ("error", "stdin", "stdout", "stderr"))
    request = cri_pb2.PortForwardRequest(pod_sandbox_id=pod.id, port=[8080])
    forward = await SpdyClient.connect(cri.runtime.PortForward(request).url, "portforward.k8s.io")

    with waits_of(pod.pid(writer)) as waits:
        for number in range(KILLS):
            await asyncio.to_thread(node.end, "control", signal.SIGKILL)
            await _streams_live(shell, stdin, stdout, forward, number, down=True)
            await asyncio.to_thread(node.start, "control", ["serve", "--control-only"])
            await asyncio.to_thread(node.wait_ready)
            await _streams_live(shell, stdin, stdout, forward, number, down=False)

    pod.sh(writer, "touch /tmp/stop")
    written = 0
    while not written:
        written = int(pod.sh(writer, "cat /tmp/count 2>/dev/null || echo 0"))
    log = tmp_path / "writer.log"
    while not log.read_bytes().endswith(b" %d\n" % written):  # noqa: ASYNC110 - on its way through the shim
        await asyncio.sleep(0.01)
    lines = [line.split(" ", 3) for line in log.read_text().splitlines()]
    assert [text for *_, text in lines] == [str(number) for number in range(1, written + 1)]
    stamps = [datetime.fromisoformat(stamp[:26] + "+00:00").timestamp() for stamp, *_ in lines]
    gaps = [(after - before, before, after) for before, after in itertools.pairwise(stamps)]
    stall, before, after = max(gaps)
    # a writer that the kernel gives no processor writes nothing, whoever is killed meanwhile
    least, most = waits.between(before, after)
    print(
        f"{KILLS} kills of the control process: {written} lines, longest stall {stall * 1000:.0f} ms; "
        f"the writer waited {least * 1000:.0f} to {most * 1000:.0f} ms of it for a processor"
    )
    _opens_no_fifo(node)
    await shell.close()
    await forward.close()
    cri.close()


async def _streams_live(
    shell: SpdyClient, stdin: int, stdout: int, forward: SpdyClient, number: int, *, down: bool
) -> None:
    text = b"%d while %s\n" % (number, b"down" if down else b"up")
    shell.send(stdin, text)
    await shell.until(lambda: shell.data[stdout].endswith(text))
    common = {"port": "8080", "requestID": f"{number}-{down}"}
    while True:  # between two connections nobody listens for a moment
        common["requestID"] += "x"
        error, data = (forward.open(streamType=kind, **common) for kind in ("error", "data"))
        if not await forward.text(error):
            break
    assert await forward.text(data) == b"served\n"


def _opens_no_fifo(node: PycriHost) -> None:
    """architecture.md: the control process never holds a container's stream."""
    fds = Path(f"/proc/{node.processes['control'].pid}/fd")
    fifos = [str(fd.readlink()) for fd in fds.iterdir() if stat.S_ISFIFO(fd.stat().st_mode)]
    assert [path for path in fifos if not path.startswith("pipe:")] == []
    holder = Path(f"/proc/{node.processes['io'].pid}/fd")
    assert any("/io/" in str(fd.readlink()) for fd in holder.iterdir())
