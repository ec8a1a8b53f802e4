"""Small OCI images, written in memory and pushed to a registry over plain HTTP.

The same content gives the same digests on every machine: times are zero, owners are root, entries keep
the order they were given in. Format: OCI image-spec v1.1; protocol: OCI distribution-spec v1.1, push.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import stat
import tarfile
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from installer.errors import NodestrapError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_OCI = "application/vnd.oci.image"
MANIFEST_TYPE = f"{_OCI}.manifest.v1+json"
INDEX_TYPE = f"{_OCI}.index.v1+json"
CONFIG_TYPE = f"{_OCI}.config.v1+json"
LAYER_TYPE = f"{_OCI}.layer.v1.tar+gzip"
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Entry:
    """One path in a layer: a file, a directory (`content` None), a hard link or a symbolic link."""

    path: str
    content: bytes | None = b""
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    hard_link: str | None = None
    symlink: str | None = None

    @classmethod
    def directory(cls, path: str, mode: int = 0o755) -> Entry:
        """An empty directory."""
        return cls(path, None, mode)

    def header(self) -> tarfile.TarInfo:
        """The entry's tar header."""
        info = tarfile.TarInfo(self.path.strip("/"))
        info.mode, info.uid, info.gid, info.mtime = stat.S_IMODE(self.mode), self.uid, self.gid, 0
        if self.hard_link is not None:
            info.type, info.linkname = tarfile.LNKTYPE, self.hard_link.strip("/")
        elif self.symlink is not None:
            info.type, info.linkname, info.mode = tarfile.SYMTYPE, self.symlink, 0o777
        elif self.content is None:
            info.type = tarfile.DIRTYPE
        else:
            info.size = len(self.content)
        return info


@dataclass(frozen=True)
class Layer:
    """A compressed layer and the digest of its plain tar."""

    blob: bytes = field(repr=False)
    diff_id: str


@dataclass(frozen=True)
class Image:
    """Layers plus the config a container starts from (`Cmd`, `Env`, `User`, … as the spec spells them)."""

    layers: tuple[Layer, ...]
    config: Mapping[str, Any] = field(default_factory=dict)
    architecture: str = "amd64"

    @property
    def config_blob(self) -> bytes:
        """The image configuration; its digest is the image id."""
        return _json(
            {
                "created": "1970-01-01T00:00:00Z",
                "architecture": self.architecture,
                "os": "linux",
                "config": {"Env": [PATH], **self.config},
                "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in self.layers]},
                "history": [{"created_by": "nodestrap lab"} for _ in self.layers],
            }
        )

    @property
    def manifest(self) -> bytes:
        """The image manifest; its digest is what `name@sha256:…` pulls."""
        return _json(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST_TYPE,
                "config": _descriptor(CONFIG_TYPE, self.config_blob),
                "layers": [_descriptor(LAYER_TYPE, layer.blob) for layer in self.layers],
            }
        )

    @property
    def id(self) -> str:
        """Digest of the configuration: CRI's Image.id."""
        return digest(self.config_blob)

    @property
    def digest(self) -> str:
        """Digest of the manifest: what follows @ in a CRI repo digest."""
        return digest(self.manifest)


def build_layer(entries: Iterable[Entry]) -> Layer:
    """Pack `entries`, in their order (a hard link after its target), into a layer."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for entry in entries:
            info = entry.header()
            tar.addfile(info, io.BytesIO(entry.content) if info.size and entry.content else None)
    content = plain.getvalue()
    return Layer(gzip.compress(content, compresslevel=6, mtime=0), digest(content))


def push(
    registry: str,
    repository: str,
    tags: Sequence[str],
    image: Image,
    *,
    authorization: str | None = None,
) -> str:
    """Upload `image` to `registry` (host:port, plain HTTP) under every tag; returns the manifest's digest.

    `authorization` is the whole header, such as "Basic …". Without tags it is pushed by digest only.
    Raises NodestrapError when the registry cannot be reached or refuses.
    """
    client = _Client(registry, repository, authorization)
    for layer in image.layers:
        client.blob(layer.blob)
    client.blob(image.config_blob)
    for reference in tags or [image.digest]:
        client.manifest(reference, MANIFEST_TYPE, image.manifest)
    return image.digest


def push_index(registry: str, repository: str, tags: Sequence[str], images: Sequence[Image]) -> str:
    """Upload an image index over `images`, one per architecture; returns the index's digest.

    Raises NodestrapError as `push` does.
    """
    entries = []
    for image in images:
        push(registry, repository, [], image)
        platform = {"architecture": image.architecture, "os": "linux"}
        entries.append({**_descriptor(MANIFEST_TYPE, image.manifest), "platform": platform})
    index = _json({"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": entries})
    client = _Client(registry, repository, None)
    for reference in tags or [digest(index)]:
        client.manifest(reference, INDEX_TYPE, index)
    return digest(index)


def digest(content: bytes) -> str:
    """`sha256:` and the hexadecimal sum of `content`."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


class _Client:
    """The push half of the distribution API for one repository."""

    def __init__(self, registry: str, repository: str, authorization: str | None) -> None:
        self._base = f"http://{registry}"
        self._prefix = f"{self._base}/v2/{repository}"
        self._headers = {"Authorization": authorization} if authorization else {}
        # A registry of ours is on this machine: a proxy from the environment must not get in between.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def blob(self, content: bytes) -> None:
        name = digest(content)
        if self._request("HEAD", f"{self._prefix}/blobs/{name}", missing_ok=True) is not None:
            return
        started = self._request("POST", f"{self._prefix}/blobs/uploads/")
        location = (started or {}).get("Location", "")
        if location.startswith("/"):
            location = self._base + location
        separator = "&" if "?" in location else "?"
        self._request(
            "PUT",
            f"{location}{separator}digest={name}",
            content,
            {"Content-Type": "application/octet-stream"},
        )

    def manifest(self, reference: str, kind: str, content: bytes) -> None:
        self._request("PUT", f"{self._prefix}/manifests/{reference}", content, {"Content-Type": kind})

    def _request(
        self,
        method: str,
        url: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        missing_ok: bool = False,
    ) -> Mapping[str, str] | None:
        request = urllib.request.Request(
            url, data=body, method=method, headers={**self._headers, **(headers or {})}
        )
        try:
            with self._opener.open(request, timeout=30) as response:
                return dict(response.headers)
        except urllib.error.HTTPError as error:
            with error:
                if missing_ok and error.code == 404:
                    return None
                why = error.read(300).decode(errors="replace").strip()
            raise NodestrapError(
                f"The registry refused {method} {url}: {error.code} {why}",
                fix="Check the registry's log and credentials.",
            ) from error
        except OSError as error:
            raise NodestrapError(
                f"No registry answers on {self._base}: {error}", fix="Start it first (nodestrap lab up)."
            ) from error


def _descriptor(kind: str, content: bytes) -> dict[str, Any]:
    return {"mediaType": kind, "digest": digest(content), "size": len(content)}


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
