from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from installer.errors import InventoryError
from installer.ssh.openssh import parse, resolve, write_config
from installer.ssh.settings import ConnectionSettings

_CONFIG = Path("/run/config")


def _parse(output: str, settings: ConnectionSettings | None = None) -> object:
    return parse(output, settings or ConnectionSettings("host"), _CONFIG)


@pytest.mark.parametrize(
    ("jump", "command"),
    [
        ("bastion", "ssh -F /run/config -W '[10.0.0.1]:22' -- bastion"),
        ("me@bastion:2222", "ssh -F /run/config -p 2222 -W '[10.0.0.1]:22' -- me@bastion"),
        ("one,ssh://two:22", "ssh -F /run/config -J one -p 22 -W '[10.0.0.1]:22' -- two"),
        ("me@[fd00::1]:2222", "ssh -F /run/config -p 2222 -W '[10.0.0.1]:22' -- me@fd00::1"),
        ("fd00::1", "ssh -F /run/config -W '[10.0.0.1]:22' -- fd00::1"),
    ],
)
def test_proxy_jump_is_spelled_out(jump: str, command: str) -> None:
    resolved = parse(f"hostname 10.0.0.1\nport 22\nproxyjump {jump}\n", ConnectionSettings("host"), _CONFIG)
    assert resolved.proxy_command == command


def test_proxy_command_stays_and_none_is_none() -> None:
    assert parse("proxycommand nc %h %p\n", ConnectionSettings("h"), _CONFIG).proxy_command == "nc %h %p"
    assert parse("proxycommand none\n", ConnectionSettings("h"), _CONFIG).proxy_command is None


def test_host_key_alias_carries_no_port() -> None:
    resolved = parse("hostname h\nport 2222\nhostkeyalias alias\n", ConnectionSettings("h"), _CONFIG)
    assert (resolved.known_as, resolved.known_port, resolved.port) == ("alias", 22, 2222)


def test_explicit_key_goes_first_and_absent_ones_are_dropped(tmp_path: Path) -> None:
    present, explicit = tmp_path / "id", tmp_path / "explicit"
    present.touch()
    settings = ConnectionSettings("h", private_key_file=explicit)
    resolved = parse(f"identityfile {present}\nidentityfile {tmp_path}/absent\n", settings, _CONFIG)
    assert resolved.identity_files == (explicit, present)


@given(
    st.lists(st.from_regex(r"(user|hostname|identityagent|unknown|proxyjump) [^\n]{0,20}", fullmatch=True))
)
def test_any_output_is_read(lines: list[str]) -> None:
    _parse("\n".join(lines))


def test_the_real_ssh_resolves_what_the_inventory_says(tmp_path: Path) -> None:
    config = write_config(tmp_path / "config", tmp_path / "known hosts", pin_bastions=False)
    settings = ConnectionSettings("10.0.0.1", 2222, "admin", ssh_args=("-o", "ProxyJump=bastion"))
    resolved = resolve("node1", settings, config)
    assert (resolved.address, resolved.port, resolved.user) == ("10.0.0.1", 2222, "admin")
    assert resolved.proxy_command == f"ssh -F {config} -W '[10.0.0.1]:2222' -- bastion"


def test_arguments_that_ssh_does_not_know(tmp_path: Path) -> None:
    config = write_config(tmp_path / "config", tmp_path / "known_hosts", pin_bastions=False)
    with pytest.raises(InventoryError, match="ssh does not understand"):
        resolve("node1", ConnectionSettings("h", ssh_args=("-o", "NoSuchOption=1")), config)
