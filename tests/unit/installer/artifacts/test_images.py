from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from installer.artifacts.images import find_images
from installer.errors import ArtifactError
from installer.lab.oci_images import Entry, Image
from tests.support import image_archive

NAME = "registry.k8s.io/pause:3.10"


def archive(directory: Path, file: str = "pause.tar", name: str = NAME) -> Path:
    path = directory / "images" / file
    path.parent.mkdir(parents=True, exist_ok=True)
    image_archive.write(path, name, Image((image_archive.plain_layer([Entry("x", b"y")]),)))
    return path


def test_an_archive_says_what_is_in_it(tmp_path: Path) -> None:
    path = archive(tmp_path)
    (found,) = find_images(tmp_path, "amd64")
    assert (found.path, found.names) == (path, (NAME,))
    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_images_of_an_architecture_go_first(tmp_path: Path) -> None:
    archive(tmp_path)
    own = archive(tmp_path / "arm64")
    assert [each.path for each in find_images(tmp_path, "arm64")] == [own]


def test_workers_do_without_the_control_planes(tmp_path: Path) -> None:
    archive(tmp_path, "etcd.tar", "k8s.gcr.io/etcd:3.4.13-0")
    archive(tmp_path)
    assert [each.for_control_planes for each in find_images(tmp_path, "amd64")] == [True, False]


def test_a_checksum_list_must_name_it(tmp_path: Path) -> None:
    archive(tmp_path)
    (tmp_path / "checksums.txt").write_text("")
    with pytest.raises(ArtifactError, match=r"images/pause\.tar is not in"):
        find_images(tmp_path, "amd64")


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    archive(tmp_path).write_bytes(b"rubbish" * 200)
    with pytest.raises(ArtifactError, match="is no image archive"):
        find_images(tmp_path, "amd64")


def test_none_without_the_directory(tmp_path: Path) -> None:
    assert find_images(tmp_path, "amd64") == ()
