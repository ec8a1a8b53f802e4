"""The initramfs is a newc archive, and loads modules in an order that works."""

from __future__ import annotations

import lzma
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from installer.errors import NodestrapError
from installer.lab.initramfs import Member, cpio, initramfs

if TYPE_CHECKING:
    from pathlib import Path


def _read(archive: bytes) -> dict[str, tuple[int, bytes]]:
    """Path -> (mode, content), read as the kernel reads newc."""
    found, at = {}, 0
    while True:
        assert archive[at : at + 6] == b"070701"
        fields = [int(archive[at + 6 + 8 * i : at + 14 + 8 * i], 16) for i in range(13)]
        size, name_size = fields[6], fields[11]
        name = archive[at + 110 : at + 110 + name_size - 1].decode()
        start = (at + 110 + name_size + 3) // 4 * 4
        if name == "TRAILER!!!":
            assert len(archive) == start
            return found
        assert name not in found
        found[name] = (fields[1], archive[start : start + size])
        at = (start + size + 3) // 4 * 4


@given(
    st.dictionaries(st.from_regex(r"[a-z]{1,6}(/[A-Z]{1,6}){0,3}", fullmatch=True), st.binary(max_size=50))
)
def test_what_goes_in_comes_out_with_its_parents(files: dict[str, bytes]) -> None:
    found = _read(cpio(Member(path, content, 0o640) for path, content in files.items()))
    for path, content in files.items():
        if any(other.startswith(path + "/") for other in files):
            continue  # a file and a directory of one name: the first wins, as on a disk
        assert found[path] == (0o100640, content)
        parent = path.rpartition("/")[0]
        assert not parent or parent in files or found[parent][0] == 0o040755


def test_a_directory_keeps_the_mode_it_was_given_first() -> None:
    found = _read(cpio([Member("root", None, 0o700), Member("root/.ssh/key", b"x", 0o600)]))
    assert found["root"][0] == 0o040700
    assert found["root/.ssh"][0] == 0o040755


@pytest.fixture
def root(tmp_path: Path) -> Path:
    modules = tmp_path / "lib/modules/6.12.0"
    modules.mkdir(parents=True)
    (modules / "modules.builtin").write_text("kernel/fs/ext4/ext4.ko\n")
    (modules / "modules.dep").write_text(
        "kernel/virtio-net.ko.xz: kernel/failover.ko.xz kernel/base.ko.xz\n"
        "kernel/failover.ko.xz: kernel/base.ko.xz\nkernel/base.ko.xz:\nkernel/odd.ko.zst:\n"
    )
    (modules / "kernel").mkdir()
    for name in ("virtio-net", "failover", "base"):
        (modules / f"kernel/{name}.ko.xz").write_bytes(lzma.compress(name.encode()))
    (modules / "kernel/odd.ko.zst").write_bytes(b"")
    return tmp_path


def test_modules_come_unpacked_with_dependencies_first(root: Path) -> None:
    found = _read(initramfs(root, b"#!init", b"elf", ["ext4", "virtio_net"]))
    assert found["modules/order"][1].split() == [b"base.ko", b"failover.ko", b"virtio-net.ko"]
    assert found["modules/base.ko"][1] == b"base"
    assert found["init"] == (0o100755, b"#!init")


@pytest.mark.parametrize(
    ("module", "words"), [("nosuch", "no module nosuch"), ("odd", "compressed in a way")]
)
def test_what_cannot_be_loaded_is_said_when_the_image_is_made(root: Path, module: str, words: str) -> None:
    with pytest.raises(NodestrapError, match=words):
        initramfs(root, b"", b"", [module])


def test_a_root_without_a_kernel_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NodestrapError, match="No kernel"):
        initramfs(tmp_path, b"", b"", [])
