"""pycri/container/checkpoint.py before anything is asked of containerd."""

import pytest

from pycri import errors
from pycri._generated import cri_pb2 as cri
from pycri.attempts import Locks
from pycri.config import Config
from pycri.container import checkpoint
from pycri.container.checkpoint import CheckpointContainer
from pycri.store import Store
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
