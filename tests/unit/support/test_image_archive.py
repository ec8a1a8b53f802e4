import hashlib
import json
import tarfile
from pathlib import Path

from installer.lab.oci_images import Entry, Image
from tests.support import image_archive

NAME = "example.org:5000/a/b:v1"
IMAGE = Image((image_archive.plain_layer([Entry("hello", b"world\n", 0o755)]),), {"Entrypoint": ["/hello"]})


def _files(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]


def test_both_formats_name_blobs_that_are_there(tmp_path: Path) -> None:
    digest = image_archive.write(tmp_path / "a.tar", NAME, IMAGE)
    files = _files(tmp_path / "a.tar")
    for name, content in files.items():
        if name.startswith("blobs/"):
            assert name == f"blobs/sha256/{hashlib.sha256(content).hexdigest()}"
    (entry,) = json.loads(files["index.json"])["manifests"]
    assert entry["digest"] == digest
    assert entry["annotations"]["io.containerd.image.name"] == NAME
    assert entry["annotations"]["org.opencontainers.image.ref.name"] == "v1"
    manifest = json.loads(files["blobs/" + digest.replace(":", "/")])
    for descriptor in (manifest["config"], *manifest["layers"]):
        assert len(files["blobs/" + descriptor["digest"].replace(":", "/")]) == descriptor["size"]
    (docker,) = json.loads(files["manifest.json"])
    assert docker["RepoTags"] == [NAME]
    assert all(path in files for path in (docker["Config"], *docker["Layers"]))


def test_the_same_image_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.tar", "b.tar"):
        image_archive.write(tmp_path / name, NAME, IMAGE)
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()
