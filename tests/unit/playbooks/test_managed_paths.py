"""A role's files: written, left alone, repaired, given up, and what was there before put back."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import ansible_modules


@pytest.fixture
def module(tmp_path: Path) -> ModuleType:
    return ansible_modules.load("managed_paths", tmp_path / "state")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


Wanted = dict[str, Any]


def role(root: Path) -> Wanted:
    """Of each kind something."""
    (root / "source").mkdir(exist_ok=True)
    (root / "source/bridge").write_text("binary")
    return {
        "receipt": "role",
        "directories": [{"path": str(root / "etc"), "mode": "0700"}],
        "files": [
            {"path": str(root / "etc/config"), "content": "a = 1\n", "validate": "grep -q = %s"},
            {"path": str(root / "made/on/the/way"), "content": "x", "mode": "0755"},
        ],
        "links": [{"path": str(root / "current"), "target": "etc"}],
        "link_all": [{"source": str(root / "source"), "path": str(root / "bin")}],
    }


MANAGED = ("etc", "etc/config", "made/on/the/way", "current", "bin/bridge")


def state(root: Path) -> dict[str, tuple[str, int]]:
    """What is on disk, links not followed."""
    found = {}
    for path in sorted(root.rglob("*")):
        content = str(path.readlink()) if path.is_symlink() else path.read_text() if path.is_file() else ""
        found[str(path.relative_to(root))] = (content, path.lstat().st_mode)
    return found


def test_all_is_made_and_then_left_alone(module: ModuleType, root: Path) -> None:
    wanted = role(root)
    told = ansible_modules.run(module, check=True, **wanted)
    assert not (root / "etc").exists()
    done = ansible_modules.run(module, **wanted)
    assert done["changed"]
    assert done["paths"] == told["paths"]
    assert (root / "etc").stat().st_mode & 0o777 == 0o700
    assert (root / "made/on/the/way").stat().st_mode & 0o777 == 0o755
    assert (root / "bin/bridge").read_text() == "binary"
    again = ansible_modules.run(module, **wanted)
    assert (again["changed"], again["paths"]) == (False, [])


@pytest.mark.parametrize("path", MANAGED)
def test_each_deleted_path_is_repaired(module: ModuleType, root: Path, path: str) -> None:
    wanted = role(root)
    ansible_modules.run(module, **wanted)
    before = state(root)
    target = root / path
    if target.is_dir() and not target.is_symlink():
        shutil.rmtree(target)
    else:
        target.unlink()
    assert ansible_modules.run(module, **wanted)["changed"]
    assert state(root) == before


@pytest.mark.parametrize("path", [path for path in MANAGED if path not in ("current", "bin/bridge")])
def test_a_mode_is_repaired(module: ModuleType, root: Path, path: str) -> None:
    wanted = role(root)
    ansible_modules.run(module, **wanted)
    before = state(root)
    (root / path).chmod(0o777)
    assert ansible_modules.run(module, **wanted)["changed"]
    assert state(root) == before


def test_half_written_files_of_a_killed_run_go(module: ModuleType, root: Path) -> None:
    (root / "etc").mkdir()
    (root / "etc/.nodestrap-abc").write_text("half")
    ansible_modules.run(module, **role(root))
    assert [path.name for path in (root / "etc").iterdir()] == ["config"]


def test_an_edit_is_undone_and_shown(module: ModuleType, root: Path) -> None:
    wanted = role(root)
    ansible_modules.run(module, **wanted)
    (root / "etc/config").write_text("a = 2\n")
    done = ansible_modules.run(module, **wanted)
    (diff,) = done["diff"]
    assert (diff["before"], diff["after"]) == ("a = 2\n", "a = 1\n")
    assert (root / "etc/config").read_text() == "a = 1\n"


def test_a_refused_file_is_not_put_in_place(module: ModuleType, root: Path) -> None:
    wanted = role(root)
    wanted["files"][0]["content"] = "nonsense\n"
    done = ansible_modules.run(module, **wanted)
    assert done["failed"]
    assert f"the new {root}/etc/config was refused" in done["msg"]
    assert list((root / "etc").iterdir()) == []


def test_what_is_given_up_goes_with_the_directories_made_for_it(module: ModuleType, root: Path) -> None:
    ansible_modules.run(module, **role(root))
    ansible_modules.run(module, receipt="role")
    assert not (root / "etc").exists()
    assert not (root / "current").is_symlink()
    assert not (root / "made").exists()
    assert not (root / "bin/bridge").is_symlink()


def test_what_was_there_before_comes_back(module: ModuleType, root: Path) -> None:
    (root / "etc").mkdir()
    (root / "etc/config").write_text("theirs\n")
    (root / "etc/config").chmod(0o640)
    wanted = role(root)
    for _ in range(2):
        ansible_modules.run(module, **wanted)
    ansible_modules.run(module, receipt="role")
    assert (root / "etc/config").read_text() == "theirs\n"
    assert (root / "etc/config").stat().st_mode & 0o777 == 0o640
    assert (root / "etc").is_dir()


def test_what_somebody_edited_since_is_not_removed(module: ModuleType, root: Path) -> None:
    ansible_modules.run(module, **role(root))
    (root / "etc/config").write_text("edited\n")
    ansible_modules.run(module, receipt="role")
    assert (root / "etc/config").read_text() == "edited\n"


def test_somebody_elses_plugin_is_not_replaced_by_a_link(module: ModuleType, root: Path) -> None:
    (root / "bin").mkdir()
    (root / "bin/bridge").write_text("a pod network's own")
    ansible_modules.run(module, **role(root))
    assert (root / "bin/bridge").read_text() == "a pod network's own"


def command(root: Path, name: str = "a-command-of-nobody") -> Wanted:
    """A link that is a command, and yields."""
    link = {"path": str(root / f"bin/{name}"), "target": "program", "yields": True}
    return {"receipt": "command", "links": [link]}


def test_a_command_that_nobody_has_is_linked_and_kept(module: ModuleType, root: Path) -> None:
    wanted = command(root)
    assert ansible_modules.run(module, **wanted)["changed"]
    link = root / "bin/a-command-of-nobody"
    assert str(link.readlink()) == "program"
    assert not ansible_modules.run(module, **wanted)["changed"]
    link.unlink()
    assert ansible_modules.run(module, **wanted)["changed"]
    ansible_modules.run(module, receipt="command")
    assert not (root / "bin").exists()


def test_a_linked_command_is_known_again_without_its_receipt(module: ModuleType, root: Path) -> None:
    ansible_modules.run(module, **command(root))
    receipt = root.parent / "state/receipts/command.json"
    receipt.unlink()
    assert ansible_modules.run(module, **command(root))["changed"]  # the receipt
    assert str(root / "bin/a-command-of-nobody") in json.loads(receipt.read_text())["paths"]


def test_a_command_that_is_on_the_host_is_not_linked(module: ModuleType, root: Path) -> None:
    assert not ansible_modules.run(module, **command(root, "ls"))["paths"][1:]  # 0: the receipt
    assert not (root / "bin").exists()


def test_a_linked_command_stays_when_another_comes_to_path(
    module: ModuleType, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ansible_modules.run(module, **command(root))
    (root / "other").mkdir()
    (root / "other/a-command-of-nobody").write_text("#!/bin/sh\n")
    (root / "other/a-command-of-nobody").chmod(0o755)
    monkeypatch.setenv("PATH", str(root / "other"), prepend=":")
    assert not ansible_modules.run(module, **command(root))["changed"]
    assert (root / "bin/a-command-of-nobody").is_symlink()


def test_a_program_put_in_a_linked_commands_place_is_left_alone(module: ModuleType, root: Path) -> None:
    ansible_modules.run(module, **command(root))
    (root / "bin/a-command-of-nobody").unlink()
    (root / "bin/a-command-of-nobody").write_text("theirs")
    assert not ansible_modules.run(module, **command(root))["changed"]
    ansible_modules.run(module, receipt="command")
    assert (root / "bin/a-command-of-nobody").read_text() == "theirs"


@pytest.mark.parametrize("kind", ["files", "links"])
def test_a_directory_in_the_way_is_not_removed(module: ModuleType, root: Path, kind: str) -> None:
    wanted = role(root)
    (path := Path(wanted[kind][0]["path"])).mkdir(parents=True)
    done = ansible_modules.run(module, **wanted)
    assert done["failed"]
    assert str(path) in done["msg"]
    assert "move it away" in done["msg"]


@settings(max_examples=25)
@given(content=st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_arrives_as_it_is(content: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    root = tmp_path_factory.mktemp("any")
    module = ansible_modules.load("managed_paths", root / "state")
    wanted = {"receipt": "any", "files": [{"path": str(root / "file"), "content": content}]}
    ansible_modules.run(module, **wanted)
    assert (root / "file").read_bytes() == content.encode()
    assert not ansible_modules.run(module, **wanted)["changed"]


def test_several_receipts_are_kept_apart(module: ModuleType, root: Path) -> None:
    other = {"receipt": "other", "files": [{"path": str(root / "own/file"), "content": "y"}]}
    done = ansible_modules.run(module, **role(root), others=[other])
    assert (root / "etc/config").exists()
    assert str(root / "own/file") in done["paths"]
    assert not ansible_modules.run(module, **role(root), others=[other])["changed"]
    again = ansible_modules.run(module, **role(root), others=[{"receipt": "other"}])
    assert again["changed"]
    assert (root / "etc/config").exists()
    assert not (root / "own").exists()
