"""Pulls from a real registry into a real containerd."""

from __future__ import annotations

import asyncio
import hashlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from installer.lab import oci_images
from installer.lab.registry import Registry
from pycri import errors
from pycri._generated import cri_pb2
from pycri._generated.containerd_types_pb2 import Mount
from pycri.containerd import Containerd
from pycri.images import ImageRecord, ImageService
from tests.support.containerd import ContainerdHost
from tests.support.images import image_service, small_image

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def host() -> Iterator[ContainerdHost]:
    with ContainerdHost() as made:
        yield made


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with Registry(tmp_path_factory.mktemp("registry")) as made:
        yield made.address


def unique(text: str) -> bytes:
    """Content that no other test has pulled."""
    return hashlib.sha256(text.encode() + os.urandom(16)).digest() * 100


def spec(image: str) -> cri_pb2.ImageSpec:
    return cri_pb2.ImageSpec(image=image)


async def pull(images: ImageService, name: str, **auth: str) -> ImageRecord:
    request = cri_pb2.PullImageRequest(image=spec(name), auth=cri_pb2.AuthConfig(**auth))
    return await images.resolve((await images.pull_image(request)).image_ref)


async def collect(client: Containerd) -> None:
    """Have containerd collect garbage now."""
    await client.leases.create("collect")
    await client.leases.delete("collect", sync=True)


async def files_of(client: Containerd, record: ImageRecord, tmp_path: Path) -> dict[str, bytes]:
    """The files of an image's root, read through a view of its snapshot."""
    async with client.leases.hold("look", expire=60):
        (mount,) = await client.snapshots.view("overlayfs", "look", record.chain_id)
        try:
            return await asyncio.to_thread(_read_mounted, mount, tmp_path)
        finally:
            await client.snapshots.remove("overlayfs", "look")


def _read_mounted(mount: Mount, where: Path) -> dict[str, bytes]:
    kind = ["--bind"] if mount.type == "bind" else ["-t", mount.type, "-o", ",".join(mount.options)]
    subprocess.run(["mount", *kind, mount.source, str(where)], check=True)
    try:
        return {path.name: path.read_bytes() for path in where.iterdir() if path.is_file()}
    finally:
        subprocess.run(["umount", str(where)], check=True)


async def test_pulled_image_has_one_id_and_answers_to_all_its_names(
    host: ContainerdHost, registry: str, tmp_path: Path
) -> None:
    one, two = unique("a"), unique("b")
    image = small_image(one, two, config={"User": "1000:0", "Env": ["A=b"]})
    oci_images.push(registry, "team/app", ["v1", "v2"], image)
    async with image_service(host) as (images, client):
        record = await pull(images, f"{registry}/team/app:v1")
        assert record.id == image.id
        assert record.process_config["Env"][-1] == "A=b"
        assert await files_of(client, record, tmp_path) == {"file0": one, "file1": two}
        await pull(images, f"{registry}/team/app:v2")
        for name in (
            f"{registry}/team/app:v1",
            f"{registry}/team/app:v2",
            f"{registry}/team/app@{image.digest}",
            image.id,
            image.id.removeprefix("sha256:"),
            image.id[7:20],
        ):
            status = await images.image_status(cri_pb2.ImageStatusRequest(image=spec(name), verbose=True))
            assert status.image.id == image.id, name
            assert list(status.image.repo_tags) == [f"{registry}/team/app:v1", f"{registry}/team/app:v2"]
            assert list(status.image.repo_digests) == [f"{registry}/team/app@{image.digest}"]
            assert status.image.uid.value == 1000
            assert '"chainID"' in status.info["info"]
        missing = await images.image_status(cri_pb2.ImageStatusRequest(image=spec("no/such:image")))
        assert not missing.HasField("image")


async def test_collection_keeps_a_pulled_image_and_takes_a_removed_one(
    host: ContainerdHost, registry: str
) -> None:
    image = small_image(unique("a"), unique("b"))
    oci_images.push(registry, "kept", ["1", "2"], image)
    async with image_service(host) as (images, client):
        record = await pull(images, f"{registry}/kept:1")
        await pull(images, f"{registry}/kept:2")
        await collect(client)
        blobs = [image.digest, image.id, *(oci_images.digest(layer.blob) for layer in image.layers)]
        for blob in blobs:
            await client.content.info(blob)
        assert await client.snapshots.stat("overlayfs", record.chain_id)
        assert not [lease for lease in await client.leases.list() if lease.id.startswith("pycri-")]
        labels = (await client.content.info(blobs[2])).labels
        assert labels["containerd.io/uncompressed"] == image.layers[0].diff_id
        for _ in range(2):  # the second time there is nothing to remove
            await images.remove_image(cri_pb2.RemoveImageRequest(image=spec(f"{registry}/kept:2")))
        with pytest.raises(errors.NotFound):
            await images.resolve(f"{registry}/kept:1")
        for blob in blobs:
            with pytest.raises(errors.NotFound):
                await client.content.info(blob)
        with pytest.raises(errors.NotFound):
            await client.snapshots.stat("overlayfs", record.chain_id)


async def test_index_gives_this_nodes_image(host: ContainerdHost, registry: str) -> None:
    mine, other = small_image(unique("m")), small_image(unique("o"), architecture="s390x")
    index = oci_images.push_index(registry, "multi", ["1"], [other, mine])
    only_other = oci_images.push_index(registry, "foreign", ["1"], [other])
    oci_images.push(registry, "foreign", ["plain"], other)
    async with image_service(host) as (images, client):
        record = await pull(images, f"{registry}/multi:1")
        assert (record.id, record.repo_digests) == (mine.id, (f"{registry}/multi@{index}",))
        await collect(client)
        await client.content.info(mine.digest)
        with pytest.raises(errors.FailedPrecondition, match=r"no image for linux/amd64.*linux/s390x"):
            await pull(images, f"{registry}/foreign@{only_other}")
        with pytest.raises(errors.FailedPrecondition, match=r"the image is for linux/s390x, this node is"):
            await pull(images, f"{registry}/foreign:plain")


async def test_moved_tag_leaves_the_old_image_without_a_tag(host: ContainerdHost, registry: str) -> None:
    old, new = small_image(unique("old")), small_image(unique("new"))
    name = f"{registry}/moving:latest"
    async with image_service(host) as (images, _):
        oci_images.push(registry, "moving", ["latest"], old)
        await pull(images, name)
        oci_images.push(registry, "moving", ["latest"], new)
        assert (await pull(images, f"{registry}/moving")).id == new.id
        assert (await images.resolve(old.id)).repo_tags == ()
        assert (await images.resolve(old.id)).repo_digests == (f"{registry}/moving@{old.digest}",)
        assert (await images.resolve(name)).id == new.id


async def test_errors_say_what_the_kubelet_looks_for(host: ContainerdHost, registry: str) -> None:
    async with image_service(host) as (images, _):
        with pytest.raises(errors.NotFound, match="MANIFEST_UNKNOWN"):
            await pull(images, f"{registry}/team/app:nope")
        with pytest.raises(errors.Unavailable, match=r"^RegistryUnavailable: pulling 127\.0\.0\.1:1/x"):
            await pull(images, "127.0.0.1:1/x")
        with pytest.raises(errors.InvalidArgument, match="repositories are lower-case"):
            await pull(images, "docker.io/UPPER/case")


async def test_credentials_are_needed_and_go_only_to_their_server(
    host: ContainerdHost, tmp_path: Path
) -> None:
    image = small_image(unique("secret"))
    registry = Registry(tmp_path / "registry")
    address = registry.start(users={"me": "pass"})
    try:
        authorization = "Basic bWU6cGFzcw=="
        oci_images.push(address, "private", ["1"], image, authorization=authorization)
        async with image_service(host) as (images, _):
            name = f"{address}/private:1"
            for auth in (
                {},
                {"username": "me", "password": "wrong"},
                {"auth": "bWU6cGFzcw==", "server_address": "other.example"},
            ):
                with pytest.raises(errors.PermissionDenied, match="check the pull secret"):
                    await pull(images, name, **auth)
            record = await pull(images, name, auth="bWU6cGFzcw==", server_address=f"http://{address}/v1/")
            assert record.id == image.id
            with pytest.raises(errors.PermissionDenied):  # being here is no permission to pull
                await pull(images, name)
    finally:
        registry.stop()


async def test_changes_by_others_are_followed(host: ContainerdHost, registry: str) -> None:
    image = small_image(unique("ctr"))
    oci_images.push(registry, "by-ctr", ["1"], image)
    name = f"{registry}/by-ctr:1"
    ctr = ["ctr", "-a", host.address, "-n", "k8s.io", "images"]
    async with image_service(host) as (images, _), asyncio.timeout(30):
        await asyncio.to_thread(
            subprocess.run, [*ctr, "pull", "--plain-http", name], check=True, capture_output=True
        )
        while not (found := await listed(images, name)):  # noqa: ASYNC110  # containerd's events fill it
            await asyncio.sleep(0.02)
        assert found[0].id == image.id
        async with image_service(host) as (second, _):  # one that starts later sees it at once
            assert (await second.resolve(name)).id == image.id
        await asyncio.to_thread(subprocess.run, [*ctr, "rm", name], check=True, capture_output=True)
        while await listed(images, name):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_image_that_another_client_only_fetched_is_unpacked(
    host: ContainerdHost, registry: str, tmp_path: Path
) -> None:
    content = unique("fetched")
    image = small_image(content)
    oci_images.push(registry, "fetched", ["1"], image)
    name = f"{registry}/fetched:1"
    ctr = ["ctr", "-a", host.address, "-n", "k8s.io"]
    for command in (
        ["content", "fetch", "--plain-http", name],  # names the image too, and unpacks nothing
        ["images", "label", name, "a=b"],
    ):
        await asyncio.to_thread(subprocess.run, [*ctr, *command], check=True, capture_output=True)
    async with image_service(host) as (images, client), asyncio.timeout(30):
        while not await listed(images, name):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        record = await images.resolve(name)
        assert await files_of(client, record, tmp_path) == {"file0": content}
        await collect(client)
        assert await client.snapshots.stat("overlayfs", record.chain_id)


async def listed(images: ImageService, name: str) -> list[cri_pb2.Image]:
    request = cri_pb2.ListImagesRequest(filter=cri_pb2.ImageFilter(image=spec(name)))
    return [*(await images.list_images(request)).images]


async def test_pulls_at_once_join_and_share_layers(host: ContainerdHost, registry: str) -> None:
    common = os.urandom(3_000_000)
    first, second = small_image(common, unique("1")), small_image(common, unique("2"))
    oci_images.push(registry, "first", ["1"], first)
    oci_images.push(registry, "second", ["1"], second)
    async with image_service(host) as (images, client):
        records = await asyncio.gather(
            *(pull(images, f"{registry}/{name}:1") for name in ("first", "second", "first", "second"))
        )
        assert [record.id for record in records] == [first.id, second.id] * 2
        await collect(client)
        for record in records:
            assert await client.snapshots.stat("overlayfs", record.chain_id)
        assert not [s for s in await client.snapshots.list("overlayfs") if s.name.startswith("extract")]


async def test_cancelled_caller_leaves_the_pull_for_its_retry(host: ContainerdHost, registry: str) -> None:
    image = small_image(os.urandom(5_000_000))
    oci_images.push(registry, "retried", ["1"], image)
    async with image_service(host) as (images, _):
        impatient = asyncio.create_task(pull(images, f"{registry}/retried:1"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        impatient.cancel()
        await asyncio.gather(impatient, return_exceptions=True)
        assert (await pull(images, f"{registry}/retried:1")).id == image.id


async def test_image_file_system_grows_with_an_image(host: ContainerdHost, registry: str) -> None:
    image = small_image(os.urandom(2_000_000))
    oci_images.push(registry, "big", ["1"], image)
    async with image_service(host, "fs-test") as (images, _):
        empty = (await images.image_fs_info(cri_pb2.ImageFsInfoRequest())).image_filesystems[0]
        assert empty.used_bytes.value == 0
        assert empty.fs_id.mountpoint == await images.filesystem_mountpoint()
        assert Path(empty.fs_id.mountpoint).is_dir()
        await pull(images, f"{registry}/big:1")
    async with image_service(host, "fs-test") as (images, _):
        full = (await images.image_fs_info(cri_pb2.ImageFsInfoRequest())).image_filesystems[0]
        assert 2_000_000 <= full.used_bytes.value < 3_000_000
        assert full.inodes_used.value >= 2


async def test_lists_and_streams_agree(host: ContainerdHost, registry: str) -> None:
    oci_images.push(registry, "listed", ["1"], small_image(unique("l")))
    async with image_service(host, "list-test") as (images, _):
        record = await pull(images, f"{registry}/listed:1")
        everything = await images.list_images(cri_pb2.ListImagesRequest())
        streamed = [m async for m in images.stream_images(cri_pb2.StreamImagesRequest())]
        assert [image for message in streamed for image in message.images] == [*everything.images]
        assert [image.id for image in everything.images] == [record.id]
        assert await listed(images, "absent") == []
