"""pycri/images/registry/review.py and ``pycri config check``: what a pull would meet is said before."""

from __future__ import annotations

from pathlib import Path

import pytest

from pycri import cli
from pycri.images.registry.review import problems


def write(directory: Path, registry: str, text: str) -> Path:
    path = directory / registry / "hosts.toml"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    return path


def test_every_file_is_read_and_each_mistake_has_its_line(tmp_path: Path) -> None:
    write(tmp_path, "good.test", '[host."http://127.0.0.1:5000"]\n')
    one = write(
        tmp_path, "a.test", 'server = "https://a.test"\n[host."https://m.test"]\n  skip_verfy = true\n'
    )
    two = write(tmp_path, "b.test", 'server = "https://b.test\n')
    write(tmp_path, "c.test", 'ca = "missing.crt"\n')
    first, second, third = problems(tmp_path, {})
    assert first.startswith(f'{one}:3: unknown key "skip_verfy"')
    assert second.startswith(f"{two}:1: not valid TOML")
    assert str(tmp_path / "c.test/missing.crt") in third


def test_no_directory_is_no_problem(tmp_path: Path) -> None:
    assert problems(tmp_path / "none", {}) == []


@pytest.mark.parametrize("value", ["http://proxy:3128", "proxy:3128", "https://u:p@proxy:1"])
def test_proxies(tmp_path: Path, value: str) -> None:
    assert problems(tmp_path, {"HTTPS_PROXY": value}) == []


@pytest.mark.parametrize(
    "value", ["socks5://proxy:1", "http://", "http://proxy:port", "http://u:secret@proxy:99999"]
)
def test_wrong_proxies_are_named_without_their_password(tmp_path: Path, value: str) -> None:
    (found,) = problems(tmp_path, {"HTTP_PROXY": value})
    assert found.startswith("the environment's HTTP_PROXY (")
    assert "secret" not in found


def test_config_check_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "certs.d", "a.test", "x = 1\n")
    config = tmp_path / "config.toml"
    config.write_text(f'[images]\nregistry_config = "{tmp_path}/certs.d"\n')
    assert cli.main(["--config", str(config), "config", "check"]) == 2
    assert f"{path}:1: unknown key" in capsys.readouterr().err
    path.unlink()
    assert cli.main(["--config", str(config), "config", "check"]) == 0
