"""CheckpointContainer with a real criu: what is in the archive, and that the container goes on."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from installer.verify.client import CriError
from pycri._generated import cri_pb2 as cri
from tests.support import newer_runtimes
from tests.support.control_node import ControlNode, control_node
from tests.support.cri_pods import await_true

pytestmark = pytest.mark.integration

CHECKPOINT_RESTORE = Path("/proc/sys/kernel/ns_last_pid")  # there with CONFIG_CHECKPOINT_RESTORE only


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlNode]:
    if not CHECKPOINT_RESTORE.exists() and "CI" not in os.environ:
        pytest.skip("this kernel was built without CONFIG_CHECKPOINT_RESTORE")
    criu = newer_runtimes.runtime("criu")
    checked = subprocess.run([criu, "check"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, f"this kernel cannot be checkpointed, says criu: {checked.stderr[-900:]}"
    before = os.environ["PATH"]
    os.environ["PATH"] = f"{criu.parent}:{before}"  # containerd's, and so runc's
    try:
        with control_node(tmp_path_factory.mktemp("node"), "enable_checkpoint = true") as made:
            yield made
    finally:
        os.environ["PATH"] = before


def checkpoint(node: ControlNode, container: str, location: Path | str, timeout: int = 60) -> None:
    request = cri.CheckpointContainerRequest(container_id=container, location=str(location), timeout=timeout)
    node.pods.runtime.CheckpointContainer(request, timeout=90)


def test_a_checkpoint_holds_memory_files_and_description(node: ControlNode, tmp_path: Path) -> None:
    pods = node.pods
    pod = pods.run()
    script = "echo changed >/file; i=0; while :; do i=$((i+1)); echo line $i; sleep 0.05; done"
    container = pods.start(pod, "sh", "-c", script)
    log = Path(pods.status(container).log_path)
    await_true(lambda: log.exists() and "line 3" in log.read_text())
    archive = tmp_path / "made/checkpoint.tar"
    checkpoint(node, container, archive)
    assert archive.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in archive.parent.iterdir()] == ["checkpoint.tar"]
    with tarfile.open(archive) as found:
        names = set(found.getnames())
        assert {"checkpoint/inventory.img", "checkpoint/pstree.img", "dump.log", "container.log"} <= names

        def read(name: str) -> bytes:
            file = found.extractfile(name)
            assert file is not None
            return file.read()

        config = json.loads(read("config.dump"))
        assert (config["id"], config["runtime"], config["restored"]) == (container, "runc", False)
        assert json.loads(read("spec.dump"))["process"]["args"][0] == "sh"
        assert json.loads(read("status.dump"))["state"] == "CONTAINER_RUNNING"
        assert b"line 3" in read("container.log")
        changes = found.extractfile("rootfs-diff.tar")
        assert changes is not None
        with tarfile.open(fileobj=changes) as layer:
            assert "file" in layer.getnames()
    lines = log.read_text().count("\n")
    await_true(lambda: log.read_text().count("\n") > lines + 3)  # it goes on
    assert pods.status(container).state == cri.CONTAINER_RUNNING
    assert list((node.pycri.root / "lib/checkpoints").iterdir()) == []
    checkpoint(node, container, archive)  # once more, over the first
    pods.remove_pod(pod)


def test_a_container_whose_checkpoint_was_cut_short_goes_on(node: ControlNode) -> None:
    """As after a SIGKILL in the middle: it stands still, and its directory is there."""
    pods = node.pods
    pod = pods.run()
    container = pods.start(pod, "sh", "-c", "while :; do echo line; sleep 0.05; done")
    log = Path(pods.status(container).log_path)
    await_true(lambda: log.exists() and log.stat().st_size > 0)
    node.pycri.end("control", signal.SIGKILL)

    async def pause() -> None:
        async with node.containerd.client(node.pycri.namespace) as client:
            await client.tasks.pause(container)

    asyncio.run(pause())
    work = node.pycri.root / f"lib/checkpoints/{container}.x"
    work.mkdir(parents=True)
    size = log.stat().st_size
    node.pycri.start("control", ["serve", "--control-only"])
    node.pycri.wait_ready()
    assert not work.exists()
    await_true(lambda: log.stat().st_size > size + 20)
    pods.remove_pod(pod)


def test_nothing_is_restored_from_an_archive(node: ControlNode, tmp_path: Path) -> None:
    """Other runtimes take the path of an archive for an image, and its contents for theirs."""
    pods = node.pods
    pod = pods.run()
    container = pods.start(pod, "sleep", "1000")
    archive = tmp_path / "checkpoint.tar"
    checkpoint(node, container, archive)
    with pytest.raises(CriError, match=r"INVALID_ARGUMENT|NOT_FOUND"):
        pods.create(pod, "true", image=cri.ImageSpec(image=str(archive)))
    with pytest.raises(CriError, match="INVALID_ARGUMENT"):
        pods.pull(str(archive))
    pods.remove_pod(pod)


def test_what_cannot_be_checkpointed_is_said(node: ControlNode, tmp_path: Path) -> None:
    pods = node.pods
    pod = pods.run()
    container = pods.create(pod, "sleep", "1000")
    with pytest.raises(CriError, match=r"FAILED_PRECONDITION.*not running"):
        checkpoint(node, container, tmp_path / "x")
    with pytest.raises(CriError, match="NOT_FOUND"):
        checkpoint(node, "none", tmp_path / "x")
    with pytest.raises(CriError, match=r"INVALID_ARGUMENT.*must be absolute"):
        checkpoint(node, container, "x")
    assert list(tmp_path.iterdir()) == []
    pods.remove_pod(pod)
