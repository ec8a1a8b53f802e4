"""Images are reproducible, well-formed, and pushed in the order the distribution spec wants."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import io
import json
import tarfile
import threading
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from installer.errors import NodestrapError
from installer.lab.oci_images import (
    INDEX_TYPE,
    MANIFEST_TYPE,
    Entry,
    Image,
    build_layer,
    digest,
    push,
    push_index,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


class FakeRegistry(http.server.ThreadingHTTPServer):
    """The push half of the distribution API, in memory; refuses a manifest whose blobs are missing."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, tuple[str, bytes]] = {}
        self.uploads = 0
        self.address = f"127.0.0.1:{self.server_address[1]}"


class _Handler(http.server.BaseHTTPRequestHandler):
    server: FakeRegistry

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        pass

    def do_HEAD(self) -> None:
        self._answer(200 if self.path.rpartition("/")[2] in self.server.blobs else 404)

    def do_POST(self) -> None:
        self.server.uploads += 1
        self._answer(202, Location=self.path + "one?_state=x")

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        where = urlsplit(self.path)
        if "/blobs/" in where.path:
            name = parse_qs(where.query)["digest"][0]
            self.server.blobs[name] = body
            self._answer(201 if name == digest(body) else 400)
            return
        content = json.loads(body)
        needed = [layer["digest"] for layer in content.get("layers", [])]
        if not set(needed) <= set(self.server.blobs):
            self._answer(404)
            return
        self.server.manifests[where.path] = (self.headers["Content-Type"], body)
        self._answer(201)

    def _answer(self, code: int, **headers: str) -> None:
        self.send_response(code)
        for name, value in {"Content-Length": "0", **headers}.items():
            self.send_header(name, value)
        self.end_headers()


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    server = FakeRegistry()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def _image(content: bytes = b"hello", architecture: str = "amd64") -> Image:
    return Image((build_layer([Entry("etc/greeting", content)]),), {"Cmd": ["sh"]}, architecture)


@given(
    st.dictionaries(st.from_regex(r"[a-z]{1,8}(/[a-z]{1,8}){0,3}", fullmatch=True), st.binary(max_size=200))
)
def test_a_layer_holds_what_was_put_in_and_nothing_of_the_machine(files: dict[str, bytes]) -> None:
    layer = build_layer(Entry(path, content, 0o640) for path, content in files.items())
    plain = gzip.decompress(layer.blob)
    assert layer.diff_id == "sha256:" + hashlib.sha256(plain).hexdigest()
    with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
        members = tar.getmembers()
        assert {member.name: tar.extractfile(member).read() for member in members} == files  # type: ignore[union-attr]
    assert {(member.mtime, member.uid, member.uname, member.mode) for member in members} <= {
        (0, 0, "", 0o640)
    }


def test_links_and_directories_keep_their_kind() -> None:
    layer = build_layer(
        [
            Entry.directory("bin"),
            Entry("bin/busybox", b"elf", 0o755),
            Entry("bin/ls", hard_link="/bin/busybox"),
            Entry("sh", symlink="bin/busybox"),
        ]
    )
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(layer.blob))) as tar:
        kinds = {member.name: (member.type, member.linkname) for member in tar}
    assert kinds["bin"][0] == tarfile.DIRTYPE
    assert kinds["bin/ls"] == (tarfile.LNKTYPE, "bin/busybox")
    assert kinds["sh"] == (tarfile.SYMTYPE, "bin/busybox")


def test_digests_are_the_same_every_time() -> None:
    assert _image().digest == _image().digest
    assert _image().id != _image(b"other").id


def test_push_uploads_each_blob_once_and_tags_the_manifest(registry: FakeRegistry) -> None:
    image = _image()
    assert push(registry.address, "some/thing", ["1", "2"], image) == image.digest
    assert set(registry.blobs) == {digest(image.layers[0].blob), image.id}
    assert registry.manifests["/v2/some/thing/manifests/2"] == (MANIFEST_TYPE, image.manifest)
    push(registry.address, "some/thing", [], image)
    assert registry.uploads == 2
    assert f"/v2/some/thing/manifests/{image.digest}" in registry.manifests


def test_an_index_names_one_manifest_per_architecture(registry: FakeRegistry) -> None:
    images = [_image(), _image(architecture="arm64")]
    sum_ = push_index(registry.address, "multi", ["1"], images)
    kind, body = registry.manifests["/v2/multi/manifests/1"]
    assert (kind, digest(body)) == (INDEX_TYPE, sum_)
    platforms = [entry["platform"]["architecture"] for entry in json.loads(body)["manifests"]]
    assert platforms == ["amd64", "arm64"]


def test_a_refusal_says_what_was_asked(registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_Handler, "do_POST", lambda self: self._answer(401))
    with pytest.raises(NodestrapError, match=r"refused POST .*/v2/x/blobs/uploads/: 401"):
        push(registry.address, "x", ["1"], _image())


def test_a_registry_that_is_not_there_is_named() -> None:
    with pytest.raises(NodestrapError, match=r"No registry answers on http://127\.0\.0\.1:1:"):
        push("127.0.0.1:1", "x", ["1"], _image())
