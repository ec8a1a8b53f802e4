"""Media types of images: OCI image-spec v1.1 and Docker's image manifest version 2, schema 2."""

from __future__ import annotations

_OCI = "application/vnd.oci.image"
_DOCKER = "application/vnd.docker"

OCI_INDEX = f"{_OCI}.index.v1+json"
OCI_MANIFEST = f"{_OCI}.manifest.v1+json"
OCI_CONFIG = f"{_OCI}.config.v1+json"
OCI_LAYER = f"{_OCI}.layer.v1.tar"
DOCKER_LIST = f"{_DOCKER}.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = f"{_DOCKER}.distribution.manifest.v2+json"
DOCKER_CONFIG = f"{_DOCKER}.container.image.v1+json"
DOCKER_LAYER = f"{_DOCKER}.image.rootfs.diff.tar"

INDEXES = frozenset({OCI_INDEX, DOCKER_LIST})
MANIFESTS = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})
CONFIGS = frozenset({OCI_CONFIG, DOCKER_CONFIG})
#: What containerd can unpack on every release that pycri supports.
LAYERS = frozenset(
    {
        OCI_LAYER,
        f"{OCI_LAYER}+gzip",
        f"{OCI_LAYER}+zstd",
        DOCKER_LAYER,
        f"{DOCKER_LAYER}.gzip",
        f"{DOCKER_LAYER}.zstd",
    }
)
DOCKER_SCHEMA_1 = frozenset(
    {f"{_DOCKER}.distribution.manifest.v1+json", f"{_DOCKER}.distribution.manifest.v1+prettyjws"}
)


def is_foreign(media_type: str) -> bool:
    """Whether a layer's bytes are to be had from URLs in the manifest instead of from the registry."""
    return ".foreign." in media_type or ".nondistributable." in media_type


def is_zstd(media_type: str) -> bool:
    return media_type.endswith(("+zstd", ".zstd"))


def is_gzip(media_type: str) -> bool:
    return media_type.endswith(("+gzip", ".gzip"))
