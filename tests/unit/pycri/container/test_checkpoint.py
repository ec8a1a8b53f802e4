"""pycri/container/checkpoint.py before anything is asked of containerd."""

import asyncio
import dataclasses
import types

import pytest

from pycri import errors
from pycri._generated import cri_pb2 as cri
from pycri.attempts import Locks
from pycri.config import Config
from pycri.container import checkpoint
from pycri.container.checkpoint import CheckpointContainer
from pycri.handlers import Handlers
from pycri.store import ContainerRecord, SandboxRecord, Store, records
from pycri.store.database import Database


def verb(tmp_path, **config):
    store = Store(Database(str(tmp_path / "db")))
    return CheckpointContainer(Config(**config), store, None, None, Locks())


async def test_it_is_off_by_default(tmp_path):
    request = cri.CheckpointContainerRequest(container_id="c", location="/x.tar")
    with pytest.raises(errors.FailedPrecondition, match="enable_checkpoint = true"):
        await verb(tmp_path)(request)


async def test_without_criu_it_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint.shutil, "which", lambda _: None)
    request = cri.CheckpointContainerRequest(container_id="c", location="/x.tar")
    with pytest.raises(errors.FailedPrecondition, match="criu, which is not on this node"):
        await verb(tmp_path, enable_checkpoint=True)(request)


async def test_it_has_its_time_and_the_container_goes_on(tmp_path, monkeypatch):
    """criu that hangs is given up after the request's ``timeout``."""
    calls = []

    class Tasks:
        async def pause(self, container_id):
            calls.append("pause")

        async def checkpoint(self, container_id, options):
            calls.append("checkpoint")
            await asyncio.Event().wait()

        async def resume(self, container_id):
            calls.append("resume")

    monkeypatch.setattr(checkpoint.shutil, "which", lambda _: "/usr/sbin/criu")
    config = Config(enable_checkpoint=True, root=str(tmp_path / "lib"))
    store = Store(Database(str(tmp_path / "db")))
    store.reserve(SandboxRecord(id="s", config=cri.PodSandboxConfig(), created_at=1, cgroup="/s"))
    container = ContainerRecord(
        id="c",
        sandbox_id="s",
        sandbox_name="s",
        config=cri.ContainerConfig(),
        created_at=1,
        log_path="",
        cgroup="/c",
    )
    store.reserve(dataclasses.replace(container, state=records.RUNNING, created=True))
    containerd = types.SimpleNamespace(tasks=Tasks())
    made = CheckpointContainer(config, store, containerd, Handlers(config, "cgroupfs"), Locks())
    request = cri.CheckpointContainerRequest(container_id="c", location=str(tmp_path / "x.tar"), timeout=1)
    with pytest.raises(errors.DeadlineExceeded, match="within 1 s"):
        await made(request)
    assert calls == ["pause", "checkpoint", "resume"]
    assert list((tmp_path / "lib/checkpoints").iterdir()) == []
    assert not (tmp_path / "x.tar").exists()


def test_the_archive_is_whole_or_not_there(tmp_path):
    work, target = tmp_path / "work", tmp_path / "out/c.tar"
    (work / "checkpoint").mkdir(parents=True)
    target.parent.mkdir()
    (work / "secret").symlink_to("/etc/shadow")  # links are kept as links
    checkpoint._archive(work, target)
    assert target.stat().st_mode & 0o777 == 0o600
    target.unlink()
    target.mkdir()
    (target / "in-the-way").touch()
    with pytest.raises(OSError, match="directory"):
        checkpoint._archive(work, target)
    assert [path.name for path in target.parent.iterdir()] == ["c.tar"]
