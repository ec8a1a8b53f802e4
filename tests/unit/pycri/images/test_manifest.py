from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycri.errors import FailedPrecondition
from pycri.images import media_types
from pycri.images.manifest import (
    MAX_DOCUMENT,
    Descriptor,
    chain_ids,
    detect_media_type,
    parse_config,
    parse_manifest,
    select,
)
from pycri.images.platforms import Platform

A, B, C = (f"sha256:{letter * 64}" for letter in "abc")
AMD64 = Platform("linux", "amd64")
LAYER = f"{media_types.OCI_LAYER}+gzip"


def descriptor(media_type: str, digest: str = A, size: object = 7) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest, "size": size}


def manifest(**changes: Any) -> bytes:
    document = {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_MANIFEST,
        "config": descriptor(media_types.OCI_CONFIG),
        "layers": [descriptor(LAYER, B)],
    }
    return json.dumps(
        {key: value for key, value in {**document, **changes}.items() if value is not None}
    ).encode()


def index(*platforms: dict[str, str] | None, **changes: Any) -> bytes:
    entries = []
    for number, platform in enumerate(platforms):
        entry = descriptor(media_types.OCI_MANIFEST, f"sha256:{number:064}")
        entries.append(entry if platform is None else {**entry, "platform": platform})
    return json.dumps({"schemaVersion": 2, "manifests": entries, **changes}).encode()


def linux(architecture: str, variant: str = "") -> dict[str, str]:
    return {"os": "linux", "architecture": architecture, "variant": variant}


def test_manifest_without_and_with_its_own_media_type() -> None:
    for data in (manifest(), manifest(mediaType=None)):
        parsed = parse_manifest(data, media_types.OCI_MANIFEST)
        assert parsed.config == Descriptor(media_types.OCI_CONFIG, A, 7)
        assert parsed.layers == (Descriptor(LAYER, B, 7),)
    docker = manifest(
        mediaType=media_types.DOCKER_MANIFEST,
        config=descriptor(media_types.DOCKER_CONFIG),
        layers=[descriptor(f"{media_types.DOCKER_LAYER}.gzip")],
    )
    assert len(parse_manifest(docker, media_types.DOCKER_MANIFEST).layers) == 1


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "not a JSON document"),
        (b"[]", "not a JSON object"),
        (b"{" * 100_000, "not a JSON document"),
        (b'{"a":1,"a":2}', "twice"),
        (b" " * (MAX_DOCUMENT + 1), "more than"),
        (manifest(schemaVersion=1), "schema version 1"),
        (manifest(mediaType=media_types.OCI_INDEX), "was served as"),
        (manifest(manifests=[]), "ambiguous"),
        (manifest(config=None), "config"),
        (manifest(config=descriptor("application/vnd.cncf.helm.config.v1+json")), "not a container image"),
        (manifest(layers={}), "list of layers"),
        (manifest(layers=["x"]), "descriptor is missing"),
        (manifest(layers=[descriptor(LAYER, "sha256:12")]), "digest"),
        (manifest(layers=[descriptor(LAYER, B, -1)]), "not a size"),
        (manifest(layers=[descriptor(LAYER, B, True)]), "not a size"),
        (manifest(layers=[descriptor(LAYER, B, 2**63)]), "not a size"),
        (manifest(layers=[descriptor("text/html")]), "unknown type"),
        (
            manifest(layers=[descriptor("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip")]),
            "foreign layer",
        ),
        (
            manifest(layers=[descriptor("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip")]),
            "foreign layer",
        ),
        (manifest(layers=[descriptor(LAYER)] * 1001), "list of layers"),
    ],
)  # fmt: skip
def test_what_is_no_usable_manifest_is_refused_with_the_reason(data: bytes, why: str) -> None:
    with pytest.raises(FailedPrecondition, match=why):
        parse_manifest(data, media_types.OCI_MANIFEST)


def test_index_prefers_the_nodes_architecture() -> None:
    data = index(
        linux("386"), linux("arm64"), linux("amd64"), None, {"os": "windows", "architecture": "amd64"}
    )
    assert [place for place, _ in select(data, media_types.OCI_INDEX, AMD64)] == [2, 0, 3]
    arm = index(linux("arm", "v6"), linux("arm", "v7"), linux("arm64"), linux("arm64", "v9"))
    assert [p for p, _ in select(arm, media_types.OCI_INDEX, Platform("linux", "arm64", "v8"))] == [2, 1, 0]
    assert [p for p, _ in select(arm, media_types.OCI_INDEX, Platform("linux", "arm", "v6"))] == [0]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (index(linux("s390x"), {"os": "unknown", "architecture": "unknown"}), "no image for linux/amd64"),
        (index(), "it|none"),
        (index(linux("amd64", "v3")), "no image"),
        (index(linux("amd64"), layers=[]), "ambiguous"),
        (index(linux("amd64"), config={}), "ambiguous"),
        (index(linux("amd64"), manifests=7), "list of manifests"),
        (index(linux("amd64"), mediaType=media_types.OCI_MANIFEST), "was served as"),
    ],
)
def test_what_is_no_usable_index_is_refused_with_the_reason(data: bytes, why: str) -> None:
    with pytest.raises(FailedPrecondition, match=why):
        select(data, media_types.OCI_INDEX, AMD64)


def test_config_must_describe_the_layers_of_the_manifest() -> None:
    layers = [Descriptor(LAYER, B, 7)]
    good = {"os": "linux", "architecture": "amd64", "config": None, "rootfs": {"diff_ids": [C]}}
    parsed = parse_config(json.dumps(good).encode(), layers)
    assert (parsed.diff_ids, parsed.platform) == ((C,), AMD64)
    for bad, why in (
        ({**good, "rootfs": {"diff_ids": [C, C]}}, "describes 2 layers, the manifest lists 1"),
        ({**good, "rootfs": {}}, "describes 0 layers"),
        ({**good, "rootfs": {"diff_ids": ["x"]}}, "diff_ids"),
        ({**good, "config": []}, None),
        ({**good, "config": ["x"]}, "not an object"),
    ):
        if why is None:
            parse_config(json.dumps(bad).encode(), layers)
        else:
            with pytest.raises(FailedPrecondition, match=why):
                parse_config(json.dumps(bad).encode(), layers)


def test_chain_ids_follow_the_specification() -> None:
    import hashlib

    second = "sha256:" + hashlib.sha256(f"{A} {B}".encode()).hexdigest()
    third = "sha256:" + hashlib.sha256(f"{second} {C}".encode()).hexdigest()
    assert chain_ids([A, B, C]) == [A, second, third]
    assert chain_ids([]) == []


def test_media_type_is_told_by_the_document_if_by_nothing_else() -> None:
    assert detect_media_type(manifest()) == media_types.OCI_MANIFEST
    assert detect_media_type(index()) == media_types.OCI_INDEX
    assert detect_media_type(b'{"layers":[]}') == media_types.OCI_MANIFEST


SCALAR = st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just([]) | st.just({})
OUTER = ["schemaVersion", "mediaType", "config", "layers", "manifests"]
INNER = ["digest", "size", "platform", "rootfs", "diff_ids"]
KEYS = st.sampled_from([*OUTER, *INNER])
ENTRY = st.dictionaries(KEYS, SCALAR, max_size=4)
DOCUMENT = st.dictionaries(KEYS, SCALAR | ENTRY | st.lists(SCALAR | ENTRY, max_size=3), max_size=5)


@given(st.binary(max_size=50) | DOCUMENT.map(lambda document: json.dumps(document).encode()))
def test_anything_is_read_or_refused(data: bytes) -> None:
    for read in (
        lambda: parse_manifest(data, media_types.OCI_MANIFEST),
        lambda: select(data, media_types.OCI_INDEX, AMD64),
        lambda: parse_config(data, []),
        lambda: detect_media_type(data),
    ):
        with contextlib.suppress(FailedPrecondition):
            read()
