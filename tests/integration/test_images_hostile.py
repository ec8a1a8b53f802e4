"""Registries and images that mean harm, or break off, against a real containerd."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import hashlib
import io
import json
import os
import re
import tarfile
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from pycri import errors
from pycri._generated import cri_pb2
from pycri.containerd import Containerd
from pycri.images import ImageService, download, media_types
from tests.fakes.registry import Answer, FakeRegistry, Request
from tests.support.containerd import ContainerdHost
from tests.support.images import image_service

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def host() -> Iterator[ContainerdHost]:
    with ContainerdHost() as made:
        yield made


def digest_of(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


@dataclass
class Served:
    """An image, and what the fake registry has of it; tests bend ``blobs``, ``manifest`` and ``kind``."""

    blobs: dict[str, bytes] = field(default_factory=dict)
    manifest: bytes = b""
    kind: str = media_types.OCI_MANIFEST
    image_id: str = ""
    cuts: list[int] = field(default_factory=list)

    def __call__(self, request: Request) -> Answer:
        path = request.path.partition("?")[0]
        if "/manifests/" in path:
            return Answer(200, self.manifest, {"Content-Type": self.kind})
        blob = self.blobs.get(path.rpartition("/")[2])
        if blob is None:
            return Answer(404)
        start = int(request.headers.get("range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
        cut = self.cuts.pop(0) if self.cuts and len(blob) > 10_000 else None
        if start:
            span = f"bytes {start}-{len(blob) - 1}/{len(blob)}"
            return Answer(206, blob[start:], {"Content-Range": span}, cut_after=cut)
        return Answer(200, blob, cut_after=cut)


def layer_of(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def serve(
    layer: bytes,
    *,
    diff_id: str = "",
    compressed: bytes | None = None,
    suffix: str = "+gzip",
    labels: dict[str, str] | None = None,
    annotations: dict[str, str] | None = None,
) -> Served:
    """An image of one ``layer``, well-formed unless told otherwise."""
    blob = gzip.compress(layer, mtime=0) if compressed is None else compressed
    config = json.dumps(
        {
            "os": "linux",
            "architecture": "amd64",
            "config": {"Labels": labels or {}},
            "rootfs": {"type": "layers", "diff_ids": [diff_id or digest_of(layer)]},
        }
    ).encode()

    def descriptor(kind: str, data: bytes) -> dict[str, Any]:
        described = {"mediaType": kind, "digest": digest_of(data), "size": len(data)}
        return {**described, "annotations": annotations} if annotations else described

    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": media_types.OCI_MANIFEST,
            "config": descriptor(media_types.OCI_CONFIG, config),
            "layers": [descriptor(media_types.OCI_LAYER + suffix, blob)],
        }
    ).encode()
    blobs = {digest_of(blob): blob, digest_of(config): config}
    return Served(blobs, manifest, image_id=digest_of(config))


@asynccontextmanager
async def pulling(
    host: ContainerdHost, served: Served, **settings: Any
) -> AsyncIterator[tuple[ImageService, Containerd, cri_pb2.PullImageRequest, FakeRegistry]]:
    with FakeRegistry(served) as fake:
        async with image_service(host, **settings) as (images, client):
            spec = cri_pb2.ImageSpec(image=f"{fake.address}/x:1")
            yield images, client, cri_pb2.PullImageRequest(image=spec), fake


async def test_layer_that_breaks_off_is_continued_where_it_stopped(host: ContainerdHost) -> None:
    content = os.urandom(3_000_000)
    served = serve(layer_of(file=content))
    served.cuts = [1_200_000, 1_100_000]
    async with pulling(host, served) as (images, _, request, fake):
        await images.pull_image(request)
        ranges = [r.headers["range"] for r in fake.requests if "range" in r.headers]
        assert ranges == ["bytes=1200000-", "bytes=2300000-"]


@dataclass
class InRanges:
    """Serves ranges with both ends, as real registries do; ``bend`` may change an answer."""

    served: Served
    bend: Callable[[int, Answer], Answer] = lambda start, answer: answer
    seen: list[tuple[int, int]] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0

    def __call__(self, request: Request) -> Answer:
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", request.headers.get("range", ""))
        if wanted is None:
            return self.served(request)
        blob = self.served.blobs[request.path.partition("?")[0].rpartition("/")[2]]
        start, last = int(wanted[1]), min(int(wanted[2]), len(blob) - 1)
        self.seen.append((start, last))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        span = {"Content-Range": f"bytes {start}-{last}/{len(blob)}"}
        answer = Answer(206, blob[start : last + 1], span, pause=self._leave)
        return self.bend(start, answer)

    def _leave(self) -> None:
        time.sleep(0.02)  # the others are on their way meanwhile
        self.at_once -= 1


@pytest.fixture
def small_ranges(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(download, "_RANGES_FROM", 1_000_000)
    monkeypatch.setattr(download, "_RANGE", 300_000)
    return 300_000


async def test_large_layer_comes_in_ranges_over_several_connections(
    host: ContainerdHost, small_ranges: int
) -> None:
    served = serve(layer_of(file=os.urandom(3_000_000)))
    ranges = InRanges(served)
    async with pulling(host, served, connections_per_layer=4) as (images, _, request, fake):
        fake.answer = ranges
        await images.pull_image(request)
        size = max(len(blob) for blob in served.blobs.values())
        assert sorted(ranges.seen) == [
            (start, min(start + small_ranges, size) - 1) for start in range(0, size, small_ranges)
        ]
        assert 2 <= ranges.most_at_once <= 4


async def test_range_that_breaks_off_is_fetched_again_and_no_other(
    host: ContainerdHost, small_ranges: int
) -> None:
    served = serve(layer_of(file=os.urandom(3_000_000)))
    cuts = [900_000]

    def bend(start: int, answer: Answer) -> Answer:
        if start in cuts:
            cuts.remove(start)
            answer.cut_after = 1000
        return answer

    ranges = InRanges(served, bend)
    async with pulling(host, served, connections_per_layer=3) as (images, _, request, fake):
        fake.answer = ranges
        await images.pull_image(request)
        again = [start for start, _ in ranges.seen if start < 900_000]
        assert sorted(again) == [0, 300_000, 600_000]  # what has been written is not fetched twice


async def test_registry_without_ranges_gives_large_layers_whole(
    host: ContainerdHost, small_ranges: int
) -> None:
    served = serve(layer_of(file=os.urandom(3_000_000)))

    def whole(request: Request) -> Answer:
        return served(Request(request.method, request.path, {}))

    async with pulling(host, served, connections_per_layer=4) as (images, _, request, fake):
        fake.answer = whole
        await images.pull_image(request)
        layers = [r for r in fake.requests if "range" in r.headers]
        assert [r.headers["range"] for r in layers] == ["bytes=0-299999"]


async def test_layer_that_never_arrives_is_given_up(host: ContainerdHost) -> None:
    served = serve(layer_of(file=os.urandom(100_000)))
    served.cuts = [0] * 100
    async with pulling(host, served) as (images, client, request, _):
        with pytest.raises(errors.Unavailable, match=r"^RegistryUnavailable: pulling"):
            await images.pull_image(request)
        assert not [lease.id for lease in await client.leases.list()]


async def test_silent_registry_runs_into_the_progress_timeout(host: ContainerdHost) -> None:
    served = serve(layer_of(file=b"x"))
    silence = asyncio.Event()
    loop = asyncio.get_running_loop()

    def wait(_: Request) -> Answer:
        asyncio.run_coroutine_threadsafe(silence.wait(), loop).result(30)
        return Answer(500)

    async with pulling(host, served, progress_timeout=0.2) as (images, _, request, fake):
        fake.answer = wait
        with pytest.raises(errors.Unavailable, match=r"RegistryUnavailable: .*[Tt]imed? ?out"):
            await images.pull_image(request)
        silence.set()


@pytest.mark.usefixtures("small_ranges")
@pytest.mark.parametrize("connections", [1, 4])
async def test_service_ends_at_once_while_a_layer_hangs(host: ContainerdHost, connections: int) -> None:
    served = serve(layer_of(file=os.urandom(1_500_000)))
    ranges = InRanges(served)
    reached, release = threading.Event(), threading.Event()

    def hang_within_the_layer(request: Request) -> Answer:
        answer = ranges(request)
        if len(answer.body) > 10_000:
            answer.pause = lambda: (reached.set(), release.wait(30))
        return answer

    async with pulling(host, served, connections_per_layer=connections) as (images, client, request, fake):
        fake.answer = hang_within_the_layer
        pull = asyncio.create_task(images.pull_image(request))
        await asyncio.to_thread(reached.wait, 30)
        async with asyncio.timeout(5):
            await images.close()
        release.set()
        await asyncio.gather(pull, return_exceptions=True)
        assert not await client.leases.list()


async def test_other_bytes_than_promised_are_refused(host: ContainerdHost) -> None:
    served = serve(layer_of(file=os.urandom(50_000)))
    name = max(served.blobs, key=lambda digest: len(served.blobs[digest]))
    good = served.blobs[name]
    async with pulling(host, served) as (images, client, request, _):
        for bad, why in (
            (bytes(len(good)), "not what was sent"),
            (good + b"x", "more bytes than the manifest states"),
        ):
            served.blobs[name] = bad
            with pytest.raises(errors.FailedPrecondition, match=why):
                await images.pull_image(request)
            with pytest.raises(errors.NotFound):
                await client.content.info(name)
        served.blobs[name] = good
        await images.pull_image(request)


async def test_layer_must_unpack_to_what_the_config_says(host: ContainerdHost) -> None:
    served = serve(layer_of(file=os.urandom(5000)), diff_id=digest_of(b"another"))
    async with pulling(host, served) as (images, client, request, _):
        with pytest.raises(errors.FailedPrecondition, match=r"unpacks to sha256:.*but the image config says"):
            await images.pull_image(request)
        assert not [s.name for s in await client.snapshots.list("overlayfs") if s.name.startswith("extract")]


@pytest.mark.parametrize(
    ("bend", "why"),
    [
        ({"manifests": []}, "ambiguous"),
        ({"schemaVersion": 1}, "schema version 1"),
        ({"layers": []}, "describes 1 layers, the manifest lists 0"),
        ({"mediaType": media_types.OCI_INDEX}, "was served as"),
    ],
)
async def test_ambiguous_and_false_manifests_are_refused(
    bend: dict[str, Any], why: str, host: ContainerdHost
) -> None:
    served = serve(layer_of(file=b"a"))
    served.manifest = json.dumps({**json.loads(served.manifest), **bend}).encode()
    async with pulling(host, served) as (images, _, request, _):
        with pytest.raises(errors.FailedPrecondition, match=why):
            await images.pull_image(request)


async def test_schema_1_and_foreign_layers_are_refused_clearly(host: ContainerdHost) -> None:
    served = serve(layer_of(file=b"a"))
    async with pulling(host, served) as (images, _, request, fake):
        served.kind = "application/vnd.docker.distribution.manifest.v1+prettyjws"
        with pytest.raises(errors.FailedPrecondition, match="schema 1 format"):
            await images.pull_image(request)
        served.kind = media_types.OCI_MANIFEST
        document = json.loads(served.manifest)
        document["layers"][0]["mediaType"] = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
        document["layers"][0]["urls"] = [f"{fake.url}/evil"]
        served.manifest = json.dumps(document).encode()
        with pytest.raises(errors.FailedPrecondition, match="foreign layer"):
            await images.pull_image(request)
        assert not [r for r in fake.requests if r.path == "/evil"]


async def test_labels_and_annotations_of_an_image_reach_nothing_of_containerds(host: ContainerdHost) -> None:
    """containerd acts on its own labels: an image that could set them would pin or name host objects."""
    evil = {
        "containerd.io/gc.root": "evil",
        "containerd.io/gc.ref.content.0": digest_of(b"evil"),
        "containerd.io/snapshot/overlay.upperdir": "/etc",
        "io.cri-containerd.pinned": "pinned",
    }
    served = serve(layer_of(file=os.urandom(2000)), labels=evil, annotations=evil)
    async with pulling(host, served, namespace="evil-labels") as (images, client, request, _):
        record = await images.resolve((await images.pull_image(request)).image_ref)
        assert not record.pinned
        seen: dict[str, str] = {}
        for content in await client.content.list():
            seen.update(content.labels)
        for snapshot in await client.snapshots.list("overlayfs"):
            seen.update(snapshot.labels)
        for image in await client.images.list():
            seen.update(image.labels)
        assert not {value for value in seen.values() if "evil" in value or value in ("/etc", "pinned")}
        assert set(seen) & set(evil) == set()


async def test_archive_that_climbs_out_of_its_root_stays_inside(host: ContainerdHost) -> None:
    served = serve(layer_of(**{"../../../../nst-escaped": b"x", "/nst-absolute": b"y"}))
    async with pulling(host, served) as (images, _, request, _):
        with contextlib.suppress(errors.PycriError):  # refused is as good
            await images.pull_image(request)
        for name in ("nst-escaped", "nst-absolute"):
            assert not os.path.lexists(f"/{name}")
            assert not os.path.lexists(host.root / name)


async def test_uncompressed_and_docker_types_and_odd_content_types(host: ContainerdHost) -> None:
    layer = layer_of(file=os.urandom(1000))
    plain = serve(layer, compressed=layer, suffix="")
    plain.kind = "application/json"  # as some registries serve everything
    async with pulling(host, plain) as (images, _, request, _):
        assert (await images.pull_image(request)).image_ref == plain.image_id
    served = serve(layer_of(file=os.urandom(1000)))
    text = served.manifest.decode()
    text = text.replace(media_types.OCI_MANIFEST, media_types.DOCKER_MANIFEST)
    text = text.replace(media_types.OCI_CONFIG, media_types.DOCKER_CONFIG)
    text = text.replace(f"{media_types.OCI_LAYER}+gzip", f"{media_types.DOCKER_LAYER}.gzip")
    served.manifest, served.kind = text.encode(), media_types.DOCKER_MANIFEST
    async with pulling(host, served) as (images, _, request, _):
        assert (await images.pull_image(request)).image_ref == served.image_id


async def test_zstd_layer(host: ContainerdHost) -> None:
    layer = layer_of(file=os.urandom(1000))
    # A zstd frame of raw blocks (RFC 8878), so that the test needs no compressor: magic, single segment
    # with a 4-byte content size, then blocks of at most 128 KiB, the last one marked.
    frame = b"\x28\xb5\x2f\xfd\xa0" + len(layer).to_bytes(4, "little")
    frame += (len(layer) << 3 | 1).to_bytes(3, "little") + layer
    served = serve(layer, compressed=frame, suffix="+zstd")
    async with pulling(host, served) as (images, _, request, _):
        assert (await images.pull_image(request)).image_ref == served.image_id


async def test_mirror_from_hosts_toml_serves_another_registrys_image(host: ContainerdHost) -> None:
    served = serve(layer_of(file=os.urandom(1000)))
    with FakeRegistry(served) as fake:
        directory = host.certs_dir / "registry.nowhere.example"
        directory.mkdir()
        (directory / "hosts.toml").write_text(f'server = "http://127.0.0.1:1"\n[host."{fake.url}"]\n')
        async with image_service(host) as (images, _):
            spec = cri_pb2.ImageSpec(image="registry.nowhere.example/team/app:1")
            auth = cri_pb2.AuthConfig(username="me", password="secret")
            await images.pull_image(cri_pb2.PullImageRequest(image=spec, auth=auth))
            assert (await images.resolve(spec.image)).id == served.image_id
        assert all("authorization" not in request.headers for request in fake.requests)
        assert all("ns=registry.nowhere.example" in request.path for request in fake.requests)


async def test_mistake_in_hosts_toml_is_named_in_the_pulls_error(host: ContainerdHost) -> None:
    directory = host.certs_dir / "registry.mistaken.example"
    directory.mkdir()
    (directory / "hosts.toml").write_text("\nskip_verify = 1\n")
    async with image_service(host) as (images, _):
        spec = cri_pb2.ImageSpec(image="registry.mistaken.example/a")
        with pytest.raises(errors.FailedPrecondition, match=r"hosts\.toml:2: skip_verify is true or false"):
            await images.pull_image(cri_pb2.PullImageRequest(image=spec))
