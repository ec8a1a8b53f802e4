"""Release files on a host: sent only when needed, repaired, replaced, and refused when they are not plain."""

from __future__ import annotations

import hashlib
import io
import os
import sys
import tarfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.support import ansible_modules


@pytest.fixture
def module(tmp_path: Path) -> ModuleType:
    return ansible_modules.load("install_artifact", tmp_path / "state")


def archive(path: Path, members: dict[str, bytes], **odd: Any) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.mode, info.size = 0o755, len(content)
            for key, value in odd.items():
                setattr(info, key, value)
            tar.addfile(info, io.BytesIO(content))
    return path


def install(module: ModuleType, source: Path, dest: Path, **more: Any) -> dict[str, Any]:
    """As the action plugin: ask, and send the file only when told to."""
    arguments = {
        "src": str(source),
        "sha256": hashlib.sha256(source.read_bytes()).hexdigest(),
        "dest": str(dest),
        "receipt": "release",
        **more,
    }
    answer = ansible_modules.run(module, **arguments)
    if answer.get("needs_archive"):
        answer = ansible_modules.run(module, **{"archive": str(source), **arguments})
        answer["sent"] = True
    return answer


def test_an_archive_is_unpacked_and_the_second_time_not_even_sent(module: ModuleType, tmp_path: Path) -> None:
    source = archive(tmp_path / "a.tar.gz", {"bin/containerd": b"1", "bin/ctr": b"2", "README": b"3"})
    done = install(module, source, tmp_path / "dest", strip=1, only=["c*"])
    assert done["changed"]
    assert done["sent"]
    assert sorted(path.name for path in (tmp_path / "dest").iterdir()) == ["containerd", "ctr"]
    assert (tmp_path / "dest/ctr").stat().st_mode & 0o777 == 0o755
    again = install(module, source, tmp_path / "dest", strip=1, only=["c*"])
    assert (again["changed"], "sent" in again) == (False, False)


@pytest.mark.parametrize("harm", ["unlink", "edit", "mode"])
def test_a_harmed_file_is_repaired(module: ModuleType, tmp_path: Path, harm: str) -> None:
    source = archive(tmp_path / "a.tar.gz", {"one": b"1", "two": b"2"})
    install(module, source, tmp_path / "dest")
    one = tmp_path / "dest/one"
    if harm == "unlink":
        one.unlink()
    elif harm == "edit":
        one.write_bytes(b"edited")
    else:
        one.chmod(0o600)
    assert install(module, source, tmp_path / "dest")["changed"]
    assert one.read_bytes() == b"1"
    assert one.stat().st_mode & 0o777 == 0o755


def test_files_of_the_former_release_go(module: ModuleType, tmp_path: Path) -> None:
    install(module, archive(tmp_path / "1", {"shim": b"1", "shim-v1": b"1"}), tmp_path / "dest")
    (tmp_path / "dest/theirs").write_text("not ours")
    done = install(module, archive(tmp_path / "2", {"shim": b"2"}), tmp_path / "dest")
    assert sorted(path.name for path in (tmp_path / "dest").iterdir()) == ["shim", "theirs"]
    assert sorted(Path(path).name for path in done["paths"]) == ["shim", "shim-v1"]


def test_a_single_binary_gets_its_name(module: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "runc.amd64").write_bytes(b"elf")
    assert install(module, tmp_path / "runc.amd64", tmp_path / "sbin", name="runc")["changed"]
    assert (tmp_path / "sbin/runc").read_bytes() == b"elf"


def test_check_mode_asks_for_nothing(module: ModuleType, tmp_path: Path) -> None:
    source = archive(tmp_path / "a", {"one": b"1"})
    sha256 = hashlib.sha256(source.read_bytes()).hexdigest()
    arguments = {"src": str(source), "sha256": sha256, "dest": str(tmp_path / "dest"), "receipt": "release"}
    answer = ansible_modules.run(module, check=True, **arguments)
    assert (answer["changed"], answer["needs_archive"]) == (True, False)
    assert not (tmp_path / "dest").exists()


def test_what_was_altered_on_the_way_is_not_installed(module: ModuleType, tmp_path: Path) -> None:
    source = archive(tmp_path / "a", {"one": b"1"})
    answer = install(module, source, tmp_path / "dest", sha256="0" * 64)
    assert answer["failed"]
    assert "instead of 0000" in answer["msg"]
    assert not (tmp_path / "dest").exists()


@pytest.mark.parametrize("name", ["../outside", "/outside", "a/../../outside"])
def test_names_that_lead_outside_are_refused(module: ModuleType, tmp_path: Path, name: str) -> None:
    answer = install(module, archive(tmp_path / "a", {name: b"1"}), tmp_path / "dest")
    assert answer["failed"]
    assert not (tmp_path / "outside").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_anything_but_files_is_refused(module: ModuleType, tmp_path: Path, kind: bytes) -> None:
    source = archive(tmp_path / "a", {"one": b""}, type=kind, linkname="/etc/shadow")
    assert "not a plain file" in install(module, source, tmp_path / "dest")["msg"]


def test_setuid_is_dropped(module: ModuleType, tmp_path: Path) -> None:
    install(module, archive(tmp_path / "a", {"one": b"1"}, mode=0o6777), tmp_path / "dest")
    assert (tmp_path / "dest/one").stat().st_mode & 0o7777 == 0o755


def test_python_is_compiled_once_and_its_byte_code_repaired(module: ModuleType, tmp_path: Path) -> None:
    source = archive(tmp_path / "a", {"lib/one.py": b"x = 1\n"})
    install(module, source, tmp_path / "dest", compile=sys.executable)
    (code,) = (tmp_path / "dest/lib/__pycache__").iterdir()
    assert not install(module, source, tmp_path / "dest", compile=sys.executable)["changed"]
    code.unlink()
    assert install(module, source, tmp_path / "dest", compile=sys.executable)["changed"]
    assert code.exists()


def test_old_releases_go_but_never_the_current_one(module: ModuleType, tmp_path: Path) -> None:
    source = archive(tmp_path / "a", {"one": b"1"})
    root = tmp_path / "pycri"
    for number in range(1, 5):
        install(module, source, root / f"r{number}", receipt=f"pycri-r{number}")
        os.utime(root / f"r{number}", (number, number))
    (root / "current").symlink_to("r1")
    done = install(module, source, root / "r5", receipt="pycri-r5", keep=2)
    assert sorted(path.name for path in root.iterdir()) == ["current", "r1", "r5"]
    assert {Path(path).name for path in done["paths"]} >= {"r2", "r3", "r4"}
    receipts = {path.name for path in (tmp_path / "state/receipts").iterdir()}
    assert receipts == {"pycri-r1.json", "pycri-r5.json"}


def test_a_release_that_is_no_longer_wanted_is_removed_but_not_what_replaced_it(
    module: ModuleType, tmp_path: Path
) -> None:
    install(module, archive(tmp_path / "a", {"ctr": b"1", "shim": b"2"}), tmp_path / "bin")
    (tmp_path / "bin/shim").write_text("somebody else's")
    packages = ansible_modules.load("os_packages", tmp_path / "state")
    told = ansible_modules.run(packages, check=True, names=[], replaces=["release", "none"])
    assert (tmp_path / "bin/ctr").exists()
    done = ansible_modules.run(packages, names=[], replaces=["release", "none"])
    assert done["paths"] == told["paths"]
    assert [path.name for path in (tmp_path / "bin").iterdir()] == ["shim"]
    assert not ansible_modules.run(packages, names=[], replaces=["release", "none"])["changed"]


def test_of_several_those_are_named_that_the_host_lacks(module: ModuleType, tmp_path: Path) -> None:
    wanted = []
    for name in ("a", "b"):
        source = archive(tmp_path / name, {f"{name}-file": name.encode()})
        install(module, source, tmp_path / "bin", receipt=name)
        checksum = hashlib.sha256(source.read_bytes()).hexdigest()
        wanted.append(
            {"src": str(source), "sha256": checksum, "dest": str(tmp_path / "bin"), "receipt": name}
        )
    assert ansible_modules.run(module, artifacts=wanted)["lacking"] == []
    (tmp_path / "bin/b-file").unlink()
    new = {"src": "c", "sha256": "0" * 64, "dest": str(tmp_path / "bin"), "receipt": "c"}
    assert ansible_modules.run(module, artifacts=[*wanted, new])["lacking"] == ["b", "c"]


def test_one_release_is_described_whole_or_not_at_all(module: ModuleType) -> None:
    assert "required together" in ansible_modules.run(module, src="/a")["msg"]
    assert "one of" in ansible_modules.run(module)["msg"]
