from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import paramiko
import pytest

from installer.errors import HostKeyError
from installer.ssh.known_hosts import host_key_name, pin


@pytest.fixture(scope="module")
def keys() -> list[paramiko.PKey]:
    return [paramiko.ECDSAKey.generate() for _ in range(2)]


@pytest.mark.parametrize(("port", "name"), [(22, "node1"), (2222, "[node1]:2222")])
def test_names_are_openssh_own(port: int, name: str) -> None:
    assert host_key_name("Node1", port) == name


def test_pinning_twice_is_pinning_once(tmp_path: Path, keys: list[paramiko.PKey]) -> None:
    path = tmp_path / "state" / "known_hosts"
    pin(path, "node1", keys[0])
    pin(path, "node1", keys[0])
    assert path.read_text() == f"node1 {keys[0].get_name()} {keys[0].get_base64()}\n"
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0


def test_another_key_is_refused(tmp_path: Path, keys: list[paramiko.PKey]) -> None:
    path = tmp_path / "known_hosts"
    pin(path, "[node1]:2222", keys[0])
    with pytest.raises(HostKeyError) as error:
        pin(path, "[node1]:2222", keys[1])
    assert f"ssh-keygen -f {path} -R '[node1]:2222'" in str(error.value.fix)


def test_many_first_contacts_at_once(tmp_path: Path, keys: list[paramiko.PKey]) -> None:
    path = tmp_path / "known_hosts"
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda number: pin(path, f"node{number % 20}", keys[0]), range(100)))
    assert len(path.read_text().splitlines()) == 20
