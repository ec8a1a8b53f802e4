"""What roles put on a host, taken away by its receipts, however often that was cut short."""

from __future__ import annotations

import hashlib
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.support import ansible_modules


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A host with something of somebody else's on it."""
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc/theirs").write_text("theirs\n")
    (root / "etc/theirs").chmod(0o640)
    (root / "etc/same").write_text("same\n")
    (root / "etc/link").symlink_to("theirs")
    (root / "etc/open").mkdir(mode=0o755)
    (root / "bin").mkdir()
    (root / "bin/runc").write_text("their runc")
    return root


def state(root: Path) -> dict[str, tuple[str, int]]:
    found = {}
    for path in sorted(root.rglob("*")):
        content = str(path.readlink()) if path.is_symlink() else path.read_text() if path.is_file() else ""
        found[str(path.relative_to(root))] = (content, path.lstat().st_mode)
    return found


def run(tmp_path: Path, name: str, **arguments: Any) -> dict[str, Any]:
    answer = ansible_modules.run(ansible_modules.load(name, tmp_path / "state"), **arguments)
    assert not answer.get("failed"), answer.get("msg")
    return answer


def provision(tmp_path: Path, root: Path) -> None:
    """Files over theirs, new ones, links, modes, and a release into a shared directory."""
    run(
        tmp_path,
        "managed_paths",
        receipt="role",
        directories=[{"path": str(root / "etc/open"), "mode": "0700"}, {"path": str(root / "var/lib/new")}],
        files=[
            {"path": str(root / "etc/theirs"), "content": "ours\n"},
            {"path": str(root / "etc/same"), "content": "same\n"},
            {"path": str(root / "etc/deep/er/file"), "content": "ours\n"},
        ],
        links=[{"path": str(root / "etc/link"), "target": "same"}],
    )
    archive = tmp_path / "a.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for name in ("runc", "shim"):
            (tmp_path / name).write_text(f"our {name}")
            tar.add(tmp_path / name, name)
    release = {"src": str(archive), "sha256": hashlib.sha256(archive.read_bytes()).hexdigest()}
    run(
        tmp_path,
        "install_artifact",
        **release,
        dest=str(root / "bin"),
        receipt="release",
        archive=str(archive),
    )


def effects(answer: dict[str, Any]) -> set[tuple[str, str, str]]:
    return {(each["kind"], Path(each["name"]).name, each["action"]) for each in answer["effects"]}


def test_the_host_is_as_it_was(tmp_path: Path, root: Path) -> None:
    before = state(root)
    provision(tmp_path, root)
    assert state(root) != before
    told = run(tmp_path, "restore_files", check=True)
    assert (root / "bin/runc").read_text() == "our runc"
    done = run(tmp_path, "restore_files")
    assert state(root) == before
    assert list((tmp_path / "state/receipts").iterdir()) == []
    # Directories are empty, and so removed, only after what is in them: check mode does not see that.
    directories = {"deep", "er", "new", "lib", "var"}
    assert {each for each in effects(done) if each[1] not in directories} == {
        each for each in effects(told) if each[1] not in directories
    }
    assert {
        ("file", "theirs", "restore"),
        ("file", "runc", "restore"),
        ("file", "shim", "remove"),
    } <= effects(done)
    assert not run(tmp_path, "restore_files")["changed"]


@pytest.mark.parametrize("receipt", ["role", "release"])
def test_a_reset_that_was_cut_short_goes_on(tmp_path: Path, root: Path, receipt: str) -> None:
    """Everything undone, but the receipt still there: as after a kill before it was removed."""
    before = state(root)
    provision(tmp_path, root)
    kept = (tmp_path / f"state/receipts/{receipt}.json").read_text()
    run(tmp_path, "restore_files")
    (tmp_path / f"state/receipts/{receipt}.json").write_text(kept)
    again = run(tmp_path, "restore_files")
    assert state(root) == before
    assert not any(each["kind"] == "remaining" for each in again["effects"])


def test_a_provisioning_that_was_cut_short_is_taken_back_too(tmp_path: Path, root: Path) -> None:
    """Nothing but intentions in the receipt of the release: what was there before is known already."""
    before = state(root)
    provision(tmp_path, root)
    path = tmp_path / "state/receipts/release.json"
    receipt = json.loads(path.read_text())
    assert receipt["origin"].keys() == {str(root / "bin/runc")}
    path.write_text(json.dumps({**receipt, "sha256": None}))
    run(tmp_path, "restore_files")
    assert state(root) == before


def test_what_was_edited_since_stays_and_is_told(tmp_path: Path, root: Path) -> None:
    provision(tmp_path, root)
    (root / "etc/theirs").write_text("edited\n")
    (root / "etc/deep/er/file").write_text("edited\n")
    done = run(tmp_path, "restore_files")
    assert (root / "etc/theirs").read_text() == "edited\n"
    assert (root / "etc/deep/er/file").read_text() == "edited\n"
    told = {Path(each["name"]).name: each["note"] for each in done["effects"] if each["kind"] == "remaining"}
    assert set(told) == {"theirs", "file"}
    assert "what was there before is in" in told["theirs"]
    kept = run(tmp_path, "remove_records")
    assert [each["kind"] for each in kept["effects"]] == ["remaining"]
    (original,) = (tmp_path / "state/originals").iterdir()
    assert original.read_text() == "theirs\n"


def test_records_go_last(tmp_path: Path, root: Path) -> None:
    provision(tmp_path, root)
    run(tmp_path, "restore_files")
    assert run(tmp_path, "remove_records", check=True)["changed"]
    run(tmp_path, "remove_records")
    assert not (tmp_path / "state").exists()


def test_a_file_that_was_never_changed_is_nobodys_to_remove(tmp_path: Path, root: Path) -> None:
    """Given up by its role, too: it was there with this content before."""
    run(tmp_path, "managed_paths", receipt="r", files=[{"path": str(root / "etc/same"), "content": "same\n"}])
    run(tmp_path, "managed_paths", receipt="r")
    assert (root / "etc/same").read_text() == "same\n"


def test_a_file_first_left_alone_and_then_changed_comes_back(tmp_path: Path, root: Path) -> None:
    for content in ("same\n", "other\n"):
        wanted = [{"path": str(root / "etc/same"), "content": content}]
        run(tmp_path, "managed_paths", receipt="r", files=wanted)
    run(tmp_path, "restore_files")
    assert (root / "etc/same").read_text() == "same\n"


def test_a_directory_of_one_role_with_files_of_another_goes(tmp_path: Path, root: Path) -> None:
    before = state(root)
    run(tmp_path, "managed_paths", receipt="a", directories=[{"path": str(root / "etc/shared/deep")}])
    inside = [{"path": str(root / "etc/shared/deep/file"), "content": "of the other"}]
    run(tmp_path, "managed_paths", receipt="b", files=inside)
    run(tmp_path, "restore_files")
    assert state(root) == before
