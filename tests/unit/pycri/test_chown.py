"""pycri/chown.py: a root file system given to a user namespace."""

import os
import struct

import pytest

from pycri import chown
from pycri.container.spec.id_mappings import IdMappings, Range

MAPPINGS = IdMappings((Range(0, 100_000, 1000),), (Range(0, 200_000, 1000),))
VERSION_2 = struct.pack("<IIIII", 0x02000001, 1 << 10, 0, 0, 0)
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


def owner(path):
    info = path.lstat()
    return info.st_uid, info.st_gid


def test_every_file_is_mapped_and_keeps_its_bits(tmp_path):
    root = tmp_path / "root"
    (root / "bin").mkdir(parents=True)
    program, nobody, link = root / "bin/program", root / "bin/nobody", root / "bin/link"
    program.write_text("x")
    program.chmod(0o4755)
    os.setxattr(program, "security.capability", VERSION_2)
    nobody.write_text("x")
    os.chown(nobody, 5, 5000)
    outside = tmp_path / "outside"
    outside.write_text("x")
    link.symlink_to(outside)
    os.link(nobody, root / "bin/again")
    chown.tree(str(root), MAPPINGS)
    assert owner(root) == owner(root / "bin") == owner(program) == owner(link) == (100_000, 200_000)
    assert program.stat().st_mode & 0o7777 == 0o4755
    assert owner(nobody) == owner(root / "bin/again") == (100_005, 5000)  # mapped once; 5000 is not mapped
    assert owner(outside) == (0, 0)
    found = os.getxattr(program, "security.capability")
    assert found == struct.pack("<IIIIII", 0x03000001, 1 << 10, 0, 0, 0, 100_000)


def test_capabilities_of_an_unknown_form_are_left():
    assert chown.of_namespace(b"\0\0\0\1rest", 7) == b"\0\0\0\1rest"
