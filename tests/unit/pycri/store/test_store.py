"""pycri/store: durable intents, lists as bytes."""

import asyncio
import contextlib
import dataclasses
import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycri import errors
from pycri._generated import cri_pb2 as cri
from pycri.store import ContainerRecord, SandboxRecord, Store, records
from pycri.store.database import SCHEMA_VERSION, Database


def sandbox(number=0, **changes):
    config = cri.PodSandboxConfig(
        metadata=cri.PodSandboxMetadata(name=f"p{number}", namespace="n", uid="u"),
        labels={"app": f"a{number % 2}"},
    )
    given = {"id": f"{number:064x}", "config": config, "created_at": 7, "created": True, "ready": True}
    return SandboxRecord(**{**given, **changes})


def container(number=0, pod=0, **changes):
    config = cri.ContainerConfig(metadata=cri.ContainerMetadata(name=f"c{number}"), labels={"k": "v" * 200})
    given = {
        "id": f"c{number:063x}",
        "sandbox_id": f"{pod:064x}",
        "sandbox_name": f"p{pod}_n_u_0",
        "config": config,
    }
    return ContainerRecord(**{**given, "created_at": 9, "created": True, **changes})


@pytest.fixture
async def store(tmp_path):
    opened = Store(Database(str(tmp_path / "state.db")))
    await opened.load()
    yield opened
    await opened.close()


async def reopened(store, tmp_path):
    again = Store(Database(str(tmp_path / "state.db")))
    assert await again.load()
    return again


async def test_what_is_put_is_there_after_a_restart(store, tmp_path):
    record = sandbox(result="{}", ips=("10.0.0.2", "fd00::1"), netns="/run/netns/x")
    await store.put(record)
    await store.put(container(user=(1, 2, (3, 4))))
    again = await reopened(store, tmp_path)
    assert list(again.sandboxes) == [record]
    assert list(again.containers) == [container(user=(1, 2, (3, 4)))]
    await again.close()


async def test_drop_frees_the_name(store, tmp_path):
    await store.put(sandbox())
    with pytest.raises(errors.AlreadyExists, match="p0_n_u_0"):
        store.reserve(sandbox(id="f" * 64))
    await store.drop(sandbox())
    store.reserve(sandbox(id="f" * 64))
    again = await reopened(store, tmp_path)
    assert len(again.sandboxes) == 0
    await again.close()


async def test_update_of_what_is_gone_does_nothing(store):
    assert await store.update_container("c" * 64, state=records.EXITED) is None
    assert len(store.containers) == 0


async def test_writes_at_the_same_time_share_commits(store, monkeypatch):
    commits = []
    original = store._database._commit
    monkeypatch.setattr(
        store._database, "_commit", lambda writes: (commits.append(len(writes)), original(writes))
    )
    await asyncio.gather(*(store.put(sandbox(number)) for number in range(50)))
    assert sum(commits) == 50
    assert len(commits) <= 3


async def test_a_damaged_database_is_set_aside(tmp_path):
    path = tmp_path / "state.db"
    path.write_bytes(b"not a database, but long enough to be read as one" * 100)
    store = Store(Database(str(path)))
    assert await store.load() is False
    await store.put(sandbox())
    await store.close()
    assert (tmp_path / "state.damaged").exists()


async def test_a_newer_schema_is_refused(tmp_path):
    path = tmp_path / "state.db"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    with pytest.raises(RuntimeError, match="newer pycri"):
        await Store(Database(str(path))).load()


async def test_the_file_is_roots_alone(store, tmp_path):
    assert (tmp_path / "state.db").stat().st_mode & 0o077 == 0


# Lists -------------------------------------------------------------------------------------------------


async def test_list_bytes_are_the_message(store):
    for number in range(3):
        await store.put(sandbox(number))
        await store.put(container(number, pod=number))
    pods = cri.ListPodSandboxResponse.FromString(store.sandboxes.response())
    assert [item.metadata.name for item in pods.items] == ["p0", "p1", "p2"]
    assert pods.items[0].state == cri.SANDBOX_READY
    found = cri.ListContainersResponse.FromString(store.containers.response(sandbox_id=f"{1:064x}"))
    assert [item.metadata.name for item in found.containers] == ["c1"]


async def test_what_is_not_made_yet_is_not_listed(store):
    store.reserve(sandbox(created=False, ready=False))
    assert store.sandboxes.response() == b""
    await store.put(sandbox())
    assert store.sandboxes.response() != b""


async def test_filters(store):
    for number in range(4):
        await store.put(sandbox(number, ready=number != 3))

    def names(**conditions):
        data = store.sandboxes.response(**conditions)
        return sorted(item.metadata.name for item in cri.ListPodSandboxResponse.FromString(data).items)

    assert names(state=cri.SANDBOX_NOTREADY) == ["p3"]
    assert names(labels={"app": "a1"}) == ["p1", "p3"]
    assert names(labels={"app": "a1"}, state=cri.SANDBOX_READY) == ["p1"]
    assert names(labels={"app": "none"}) == []
    assert names(record_id=f"{2:064x}") == ["p2"]
    assert names(record_id="nothing") == []


async def test_parts_of_a_stream_together_are_the_list(store):
    for number in range(20):
        await store.put(container(number))
    parts = list(store.containers.responses(at_most=1000))
    assert len(parts) > 1
    assert sorted(b"".join(parts)) == sorted(store.containers.response())


async def test_ids_may_be_shortened_while_they_are_unique(store):
    await store.put(sandbox(id="a" * 64))
    await store.put(sandbox(1, id="ab" + "0" * 62))
    assert store.sandboxes.get("aa").id == "a" * 64
    with pytest.raises(errors.InvalidArgument, match="fits 2"):
        store.sandboxes.find("a")
    assert store.sandboxes.find("") is None
    with pytest.raises(errors.NotFound):
        store.sandboxes.get("zz")


@given(st.binary())
def test_any_row_is_loaded_or_refused(data):
    with contextlib.suppress(ValueError):
        records.load(SandboxRecord, data)


def test_facts_of_a_newer_pycri_are_ignored():
    data = records.dump(sandbox()).replace(b'{"id"', b'{"from_the_future":1,"id"')
    assert records.load(SandboxRecord, data) == sandbox()


def test_records_are_immutable():
    with pytest.raises(dataclasses.FrozenInstanceError):
        sandbox().ready = False
