"""The client against a real containerd."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator

import pytest

from pycri import errors
from pycri._generated import containerd_images_pb2
from pycri._generated.containerd_containers_pb2 import Container
from pycri._generated.containerd_types_pb2 import Descriptor, Sandbox
from pycri.containerd import Containerd, Disconnected, Event, ImageChanged, Subscribed
from pycri.containerd.anys import SPEC_TYPE_URL, pack_json
from tests.support.containerd import ContainerdHost

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def host() -> Iterator[ContainerdHost]:
    with ContainerdHost() as made:
        yield made


@pytest.fixture
async def client(host: ContainerdHost) -> AsyncIterator[Containerd]:
    async with host.client("client-test") as made:
        yield made


def digest_of(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


async def test_version_and_plugins(client: Containerd) -> None:
    assert (await client.version.get()).version[:1] in "12"
    assert (await client.introspection.server()).uuid
    snapshotters = await client.introspection.plugins("type==io.containerd.snapshotter.v1")
    assert "overlayfs" in [plugin.id for plugin in snapshotters if not plugin.init_err.message]
    assert not await client.introspection.plugins("id==cri")


async def test_statuses_become_our_errors(client: Containerd) -> None:
    with pytest.raises(errors.NotFound):
        await client.containers.get("nobody")
    with pytest.raises(errors.InvalidArgument):
        await client.containers.create(Container(id="-not-an-id-"))
    with pytest.raises(errors.NotFound):
        await client.tasks.kill("nobody", 9)


async def test_unreachable_containerd_says_where_and_what_to_do() -> None:
    async with Containerd("/nonexistent/containerd.sock", "x") as nobody:
        with pytest.raises(errors.Unavailable, match=r"/nonexistent/c.*is containerd running\?"):
            await nobody.version.get()
        with pytest.raises(errors.Unavailable, match="within"):
            await nobody.wait_ready(0.1)


async def test_containers_round_trip(client: Containerd) -> None:
    made = Container(
        id="c1",
        labels={"a": "b"},
        runtime=Container.Runtime(name="io.containerd.runc.v2"),
        spec=pack_json(SPEC_TYPE_URL, {"ociVersion": "1.0.2"}),
    )
    await client.containers.create(made)
    with pytest.raises(errors.AlreadyExists):
        await client.containers.create(made)
    await client.containers.update(Container(id="c1", labels={"a": "c"}), "labels.a")
    assert [(c.id, dict(c.labels)) for c in await client.containers.list()] == [("c1", {"a": "c"})]
    assert await client.containers.list("labels.a==b") == []
    await client.containers.delete("c1")
    assert await client.tasks.list() == []


async def test_content_written_read_and_verified(client: Containerd) -> None:
    data = bytes(range(256)) * 20_000  # 5 MB: several messages each way
    digest = digest_of(data)
    async with client.leases.hold("test", expire=60):
        with pytest.raises(errors.FailedPrecondition):
            await client.content.write_blob("wrong", data, digest_of(b"else"))
        await client.content.abort("wrong")
        async with client.content.writer("ref", total=len(data), expected=digest) as writer:
            for start in range(0, 3_000_000, 1_000_000):
                await writer.write(data[start : start + 1_000_000])
            await writer.drain()
        assert [(s.ref, s.offset) for s in await client.content.statuses()] == [("ref", 3_000_000)]
        async with client.content.writer("ref", total=len(data), expected=digest) as writer:
            assert writer.offset == 3_000_000
            await writer.write(data[writer.offset :])
            await writer.commit({"label": "value"})
        with pytest.raises(errors.AlreadyExists):
            await client.content.write_blob("again", data, digest)
        assert await client.content.read_all(digest, 6_000_000) == data
        with pytest.raises(errors.ResourceExhausted):
            await client.content.read_all(digest, 1_000_000)
        await client.content.update_labels(digest, {"label": "", "other": "x"})
        assert dict((await client.content.info(digest)).labels) == {"other": "x"}
        await client.content.delete(digest)


async def test_unfinished_write_is_replaced_from_the_start(client: Containerd) -> None:
    data = b"the right bytes"
    async with client.leases.hold("test", expire=60):
        async with client.content.writer("bad", total=len(data), expected=digest_of(data)) as writer:
            await writer.write(b"the wrong")
            await writer.drain()
        await client.content.write_blob("bad", data, digest_of(data))
        assert await client.content.read_all(digest_of(data), 100) == data


async def test_lease_protects_and_its_end_frees(client: Containerd) -> None:
    data = b"held by a lease"
    async with client.leases.hold("test", expire=60) as lease:
        await client.content.write_blob("leased", data, digest_of(data))
        assert [r.id for r in await client.leases.resources(lease)] == [digest_of(data)]
        await client.leases.delete(lease, sync=True)
    with pytest.raises(errors.NotFound):
        await client.content.info(digest_of(data))


async def test_snapshots_round_trip(client: Containerd) -> None:
    async with client.leases.hold("test", expire=60):
        mounts = await client.snapshots.prepare("overlayfs", "key", "")
        assert mounts[0].type in ("bind", "overlay")
        await client.snapshots.commit("overlayfs", "layer", "key", {"containerd.io/gc.root": "x"})
        assert (await client.snapshots.stat("overlayfs", "layer")).name == "layer"
        assert [info.name for info in await client.snapshots.list("overlayfs")] == ["layer"]
        assert (await client.snapshots.usage("overlayfs", "layer")).inodes >= 1
        await client.snapshots.remove("overlayfs", "layer")


async def test_sandbox_store_where_containerd_has_one(client: Containerd, host: ContainerdHost) -> None:
    if host.version >= (1, 7):
        assert await client.sandboxes.list() == []
        for _ in range(2):  # none is there at first, and none is left afterwards
            with pytest.raises(errors.NotFound):
                await client.sandboxes.delete("nobody")
            made = Sandbox(sandbox_id="one", runtime=Sandbox.Runtime(name="io.containerd.runc.v2"))
            await client.sandboxes.create(made)
            await client.sandboxes.delete("one")
    else:
        with pytest.raises(errors.Unimplemented):
            await client.sandboxes.list()


async def test_events_survive_a_restart_of_containerd(host: ContainerdHost, client: Containerd) -> None:
    target = Descriptor(media_type="application/vnd.oci.image.index.v1+json", digest=digest_of(b""), size=1)
    stream = client.events.subscribe()
    seen: list[object] = []

    async def until(kind: type) -> None:
        async for item in stream:
            seen.append(item)
            if isinstance(item, kind):
                return

    async with asyncio.timeout(60):
        await until(Subscribed)
        await client.images.create(containerd_images_pb2.Image(name="img", target=target))
        await until(Event)
        event = seen[-1]
        assert isinstance(event, Event)
        assert (event.topic, event.message) == ("/images/create", ImageChanged("img"))
        await asyncio.to_thread(host.kill)
        await until(Disconnected)
        await asyncio.to_thread(host.start)
        await until(Subscribed)
        assert seen[-1] == Subscribed(again=True)
        await client.images.delete("img", sync=True)
        await until(Event)
    await stream.aclose()  # type: ignore[attr-defined]
