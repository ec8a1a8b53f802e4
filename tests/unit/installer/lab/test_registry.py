"""The registry's settings, and what it says when it cannot run. (Running it: tests/e2e/test_lab.py.)"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest
import yaml

from installer.errors import NodestrapError
from installer.lab import registry
from installer.lab.registry import Registry

if TYPE_CHECKING:
    from pathlib import Path


def test_without_the_binary_the_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry.shutil, "which", lambda tool: None)
    with pytest.raises(NodestrapError, match="docker-registry is not installed") as caught:
        Registry(tmp_path).start()
    assert caught.value.fix == "apt-get install docker-registry"


def test_a_taken_address_is_refused_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry.shutil, "which", lambda tool: "/bin/false")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(NodestrapError, match=f"cannot listen on {address}"):
            Registry(tmp_path).start(address)


def test_one_that_ends_at_once_is_reported_with_its_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    binary = tmp_path / "docker-registry"
    binary.write_text("#!/bin/sh\necho no space left\nexit 1\n")
    binary.chmod(0o755)
    monkeypatch.setattr(registry.shutil, "which", lambda tool: str(binary))
    broken = Registry(tmp_path / "root")
    with pytest.raises(NodestrapError, match="ended at once: no space left"):
        broken.start()
    assert not broken.running()
    broken.stop()


def test_everything_is_below_the_root_and_users_are_hashed(tmp_path: Path) -> None:
    config = registry._config(tmp_path, "127.0.0.1:5000", {"alice": "secret"})
    assert yaml.safe_load(yaml.safe_dump(config)) == config
    assert config["storage"]["filesystem"]["rootdirectory"] == str(tmp_path / "data")
    lines = (tmp_path / "htpasswd").read_text()
    assert lines.startswith("alice:$2")
    assert "secret" not in lines
    assert (tmp_path / "htpasswd").stat().st_mode & 0o777 == 0o600


def test_an_address_is_known_only_after_a_start(tmp_path: Path) -> None:
    with pytest.raises(NodestrapError, match="was never started"):
        Registry(tmp_path).address  # noqa: B018 - the access is the test
